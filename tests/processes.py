"""Python in a process of its own: another backend, a package absent, a run gone on with."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = str(Path(__file__).parent)


def run_python(script, *arguments, cwd=None, path=(), **environment):
    """Runs a script that can import the helpers of the tests; asserts that it succeeds.

    Args:
        script: String, Python.
        *arguments: What it finds in `sys.argv[1:]`.
        cwd: Folder to run in.
        path: Further folders to import from.
        **environment: Variables on top of those of this process.

    Returns:
        What it printed.
    """
    folders = os.pathsep.join([TESTS, *map(str, path)])
    ran = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": folders, **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout

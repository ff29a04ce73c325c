"""Python in another process: on another backend, without a package, or to resume a run."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def run_python(script, *arguments, cwd=None, path=(), **environment):
    """Runs a script that can import what the tests can, and asserts that it succeeds.

    Args:
        script: String, Python.
        *arguments: `sys.argv[1:]` of the script.
        cwd: Working directory.
        path: Further directories to import from.
        **environment: Environment variables, next to those of this process.

    Returns:
        The standard output.
    """
    directories = os.pathsep.join(map(str, [TESTS, TESTS.parent, *path]))
    completed = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": directories, **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr[-3000:]
    return completed.stdout


def shared_between_workers(tmp_path_factory, name, compute):
    """Computes files once for all workers of pytest-xdist.

    Args:
        tmp_path_factory: The fixture of pytest.
        name: String, the name of the directory.
        compute: Function of an empty directory that writes files into it. The first worker calls
            it; the others wait for it.

    Returns:
        The directory.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    directory, is_complete = root / name, root / f"{name}.complete"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete.exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            compute(directory)
            is_complete.touch()
    return directory

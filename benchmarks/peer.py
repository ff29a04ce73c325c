"""Other libraries in another environment: a subprocess that answers tasks, line by line.

Only the standard library is imported here, because both environments use this file.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path


@contextlib.contextmanager
def peer(python, script):
    """Yields a function that sends a task to the peer, or None if there is no peer.

    Args:
        python: Interpreter of the peer's environment, or None.
        script: Name of a file in this directory, which calls `serve`.
    """
    if python is None:
        yield None
        return
    command = [str(python), str(Path(__file__).parent / script)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(**task):
            print(json.dumps(task), file=process.stdin, flush=True)
            answer = process.stdout.readline()
            if not answer:
                raise SystemExit(f"{python} failed to run {script}: see its error above.")
            return json.loads(answer)

        yield ask
        process.stdin.close()


def serve(answer):
    """Answers tasks until there are no more. Output of the peer goes to stderr."""
    lines, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=lines, flush=True)

"""Peers in an environment of their own: a process that is told tasks and answers, line by line.

Nothing but Python's own library is imported here: both environments use it.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path


@contextlib.contextmanager
def peer(python, script):
    """Yields a function that lets the peer do a task, or None where there is no peer.

    Args:
        python: Interpreter of the environment that has the peer, or None.
        script: Name of a file beside this one, which calls `serve`.
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
                raise SystemExit(f"{python} cannot run {script}: see its error above.")
            return json.loads(answer)

        yield ask
        process.stdin.close()


def serve(answer):
    """Answers tasks until there are no more; what the peer prints goes to the errors' side."""
    lines, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=lines, flush=True)

"""What is known while a training step is traced."""

import contextlib
import threading
from typing import Any, NamedTuple

noted = threading.local()  # what belongs to the step being traced; each replica has its thread


class Pass(NamedTuple):
    """What passed a network in pieces: its state before, what went in, what came out."""

    network: Any
    images: Any
    before: Any
    outputs: Any


@contextlib.contextmanager
def step(tape):
    """Says that a training step is traced, and yields what passes in pieces while it is."""
    noted.tape, noted.passes = tape, []
    try:
        yield noted.passes
    finally:
        noted.tape, noted.passes = None, None


def in_step():
    """Whether a training step is traced: elsewhere batches pass whole."""
    return getattr(noted, "passes", None) is not None

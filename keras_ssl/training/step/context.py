"""What is known while a training step is traced."""

import contextlib
import threading
from typing import Any, NamedTuple

_local = threading.local()  # what belongs to the step being traced; each replica has its thread


class RecordedForward(NamedTuple):
    """What passed a network in pieces: its state before, what went in, what came out."""

    network: Any
    images: Any
    before: Any
    outputs: Any


@contextlib.contextmanager
def training_step(tape):
    """Says that a training step is traced, and yields what passes in pieces while it is."""
    _local.tape, _local.passes = tape, []
    try:
        yield _local.passes
    finally:
        _local.tape, _local.passes = None, None


def is_tracing_train_step():
    """Whether a training step is traced: elsewhere batches pass whole."""
    return getattr(_local, "passes", None) is not None

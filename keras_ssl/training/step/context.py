"""State that exists while a training step is traced."""

import contextlib
import threading
from typing import Any, NamedTuple

_local = threading.local()  # each replica traces in its own thread


class RecordedForward(NamedTuple):
    """A forward pass in microbatches, whose gradient is computed later.

    Attributes:
        network: The network that ran.
        inputs: Tensor, its inputs.
        states: Values of its non-trainable variables before the pass.
        outputs: Tensor `(B, D)`.
    """

    network: Any
    inputs: Any
    states: Any
    outputs: Any


@contextlib.contextmanager
def training_step(tape):
    """Marks a training step and yields the list of its forward passes in microbatches.

    Args:
        tape: `tf.GradientTape` of the step; None on JAX.
    """
    _local.tape, _local.forward_passes = tape, []
    try:
        yield _local.forward_passes
    finally:
        _local.tape, _local.forward_passes = None, None


def is_tracing_train_step():
    """Returns whether a training step is being traced."""
    return getattr(_local, "forward_passes", None) is not None


def current_tape():
    """Returns the tape of the training step."""
    return _local.tape


def record_forward(network, inputs, states, outputs):
    """Adds a forward pass to those of the training step."""
    _local.forward_passes.append(RecordedForward(network, inputs, states, outputs))

"""Handling of non-finite losses."""

import keras
import numpy as np
from keras import ops

NON_FINITE = "keras_ssl: the loss is not finite"  # marks the error that a replica raises


class RaiseOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends `fit` if the loss, or a gradient, is not finite, before anything of it is saved.

    The step has left weights and state unchanged, and this callback reads the loss from the logs.
    On TensorFlow's replicas the step itself raises.
    """

    async_safe = True  # `on_train_batch_end` does not wait for the device

    def __init__(self):
        super().__init__()
        self.has_failed = False

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        self.has_failed |= loss is not None and not np.isfinite(loss)

    def on_train_batch_begin(self, batch, logs=None):
        if self.has_failed:
            raise non_finite_error(self.model)

    def on_epoch_end(self, epoch, logs=None):
        self.on_train_batch_end(None, logs)
        if self.has_failed:
            raise non_finite_error(self.model)


def non_finite_error(model):
    """Returns the FloatingPointError for a step whose loss or gradient is not finite.

    Args:
        model: The method, whose weights are those before that step.
    """
    step = 1 + int(ops.convert_to_numpy(model.step))
    policy = model.dtype_policy.name
    float16 = (
        f" overflow in {policy} (use mixed_bfloat16);"
        if "float16" in policy and "bfloat16" not in policy
        else ""
    )
    return FloatingPointError(
        f"The loss or a gradient is not finite at step {step}. Weights and optimizer are those "
        "from before that step. Common causes: NaN in the images; a learning rate that is too high "
        "or has no warmup; unclipped gradients (pass `clipnorm` to the optimizer);"
        f"{float16} a temperature that is too small; weights that were not finite at the start. "
        "Resume from an earlier checkpoint with a lower learning rate."
    )

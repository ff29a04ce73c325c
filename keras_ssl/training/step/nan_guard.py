"""What happens where a loss is no number: a step that moves nothing, and an error that helps."""

import keras
import numpy as np
from keras import ops

NON_FINITE = "keras_ssl: the loss is not finite"


class RaiseOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends a `fit` whose loss, or gradient, is no longer a number, before anything of it is saved.

    The step has moved nothing, and this finds the loss in the logs; on TensorFlow's replicas the
    step itself raises.
    """

    async_safe = True  # of `on_train_batch_end`: it does not hold up training

    def __init__(self):
        super().__init__()
        self.has_failed = False

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss."""
        loss = (logs or {}).get("loss")
        self.has_failed |= loss is not None and not np.isfinite(loss)

    def on_train_batch_begin(self, batch, logs=None):
        """Raises where the loss of a batch before was not finite."""
        if self.has_failed:
            raise non_finite_error(self.model)

    def on_epoch_end(self, epoch, logs=None):
        """Likewise."""
        self.on_train_batch_end(None, logs)
        if self.has_failed:
            raise non_finite_error(self.model)


def non_finite_error(model):
    """Returns the error that tells of a loss that is not finite.

    Args:
        model: The method, whose weights did not move in that step.
    """
    step = 1 + int(ops.convert_to_numpy(model.step))
    policy = model.dtype_policy.name
    half = (
        f" numbers too large for {policy}, where mixed_bfloat16 has room;"
        if "float16" in policy and "bfloat16" not in policy
        else ""
    )
    return FloatingPointError(
        f"The loss, or its gradient, is not finite at step {step}; weights and optimizer are those "
        "before it. Common causes: images with NaN; a learning rate that is too high, or no "
        "warm-up; gradients without a limit (pass clipnorm to the optimizer);"
        f"{half} a temperature that is too small; weights that were not finite to begin with. A "
        "state saved before can be loaded and gone on with, at a lower rate."
    )

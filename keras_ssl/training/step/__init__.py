"""The training and test step of every method, once per backend.

A method states its losses in `compute_losses(batch, training)` and moves its own state in
`on_step_end()`; here they meet gradients, loss scaling, replicas and logs. A step whose loss is not
finite moves nothing. `StepMixin` is the class for the backend that Keras runs on.
"""

import keras

from keras_ssl.training.step.context import is_tracing_train_step
from keras_ssl.training.step.jax import JaxStep
from keras_ssl.training.step.tensorflow import TensorFlowStep

__all__ = ["StepMixin", "is_tracing_train_step"]


class _NoStep:
    def __init__(self, *args, **kwargs):
        raise ValueError(
            "keras_ssl trains on the TensorFlow and JAX backends, and KERAS_BACKEND is "
            f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax "
            "before Keras is imported."
        )


StepMixin = {"tensorflow": TensorFlowStep, "jax": JaxStep}.get(keras.backend.backend(), _NoStep)

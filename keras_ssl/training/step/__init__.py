"""Training and test steps, one implementation per backend.

A method states its losses in `compute_losses` and updates its own state in `on_step_end`. The step
adds gradients, loss scaling, replicas, logs and the guard against non-finite losses.
"""

import keras

from keras_ssl.training.step.context import is_tracing_train_step
from keras_ssl.training.step.jax import JaxStep
from keras_ssl.training.step.tensorflow import TensorFlowStep

__all__ = ["is_tracing_train_step", "step_for"]


def step_for(model):
    """Returns the step of a model on the current backend.

    Raises:
        ValueError: If the backend is neither TensorFlow nor JAX.
    """
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(
            f"keras_ssl trains on the TensorFlow and JAX backends. The backend is {backend!r}: set "
            "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax before importing Keras."
        )
    return {"tensorflow": TensorFlowStep, "jax": JaxStep}[backend](model)

"""Gradients on either backend."""

import keras
import numpy as np


def gradients(function, *arrays):
    """Returns the gradient of a scalar function for each array; zeros if no gradient reaches it."""
    if keras.backend.backend() == "jax":
        import jax

        compute = jax.grad(function, argnums=tuple(range(len(arrays))))
        return [np.asarray(gradient) for gradient in compute(*map(np.asarray, arrays))]
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    values = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [gradient.numpy() for gradient in values]

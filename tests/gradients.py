"""Gradients on either backend."""

import keras
import numpy as np


def gradients(function, *arrays):
    """Gradient of a scalar function with respect to each array, as arrays."""
    if keras.backend.backend() == "jax":
        import jax

        found = jax.grad(function, argnums=tuple(range(len(arrays))))(*map(np.asarray, arrays))
        return [np.asarray(each) for each in found]
    import tensorflow as tf

    variables = [tf.Variable(each) for each in arrays]
    with tf.GradientTape() as tape:
        value = function(*variables)
    return [each.numpy() for each in tape.gradient(value, variables)]

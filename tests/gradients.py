"""Gradients on either backend."""

import keras
import numpy as np


def gradients(function, *arrays):
    """Gradient of a scalar function with respect to each array, as arrays; 0 where it stops."""
    if keras.backend.backend() == "jax":
        import jax

        found = jax.grad(function, argnums=tuple(range(len(arrays))))(*map(np.asarray, arrays))
        return [np.asarray(each) for each in found]
    import tensorflow as tf

    tensors = [tf.constant(each) for each in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    found = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [each.numpy() for each in found]

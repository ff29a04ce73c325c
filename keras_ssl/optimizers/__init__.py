"""Optimizers that Keras does not have. Use `keras.optimizers` for all others."""

from keras_ssl.optimizers.l2_sgd import L2SGD
from keras_ssl.optimizers.lars import LARS

__all__ = ["L2SGD", "LARS"]

"""Optimizers that Keras lacks; the rest are in `keras.optimizers`."""

from keras_ssl.optimizers.l2_sgd import L2SGD
from keras_ssl.optimizers.lars import LARS

__all__ = ["L2SGD", "LARS"]

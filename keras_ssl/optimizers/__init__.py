"""Optimizers and schedules that Keras lacks; the rest is in `keras.optimizers`."""

from keras_ssl.optimizers.l2_sgd import SGD
from keras_ssl.optimizers.lars import LARS
from keras_ssl.schedules import FixMatchDecay

__all__ = ["LARS", "SGD", "FixMatchDecay"]

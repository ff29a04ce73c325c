"""Optimizers and schedules that Keras lacks; the rest is in `keras.optimizers`."""

from keras_ssl.optimizers.fixmatch_decay import FixMatchDecay
from keras_ssl.optimizers.lars import LARS
from keras_ssl.optimizers.sgd import SGD

__all__ = ["LARS", "SGD", "FixMatchDecay"]

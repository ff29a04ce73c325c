"""Learn from images without labels, or with few: `keras.Model`s with `compile`, `fit`, `save`."""

from keras_ssl import losses

__version__ = "0.1.0"

__all__ = ["losses"]

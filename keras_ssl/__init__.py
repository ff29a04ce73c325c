"""Learn from images without labels, or with few: `keras.Model`s with `compile`, `fit`, `save`."""

from keras_ssl import (
    callbacks,
    data,
    distribute,
    encoders,
    evaluation,
    losses,
    models,
    optimizers,
    views,
)
from keras_ssl.models import SelfSupervisedModel, SimCLR

__version__ = "0.1.0"

__all__ = [
    "SelfSupervisedModel",
    "SimCLR",
    "callbacks",
    "data",
    "distribute",
    "encoders",
    "evaluation",
    "losses",
    "models",
    "optimizers",
    "views",
]

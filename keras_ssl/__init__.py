"""Learn from images without labels, or with few: `keras.Model`s with `compile`, `fit`, `save`."""

from keras_ssl import (
    callbacks,
    data,
    distribute,
    encoders,
    evaluation,
    losses,
    models,
    momentum,
    optimizers,
    runs,
    views,
)
from keras_ssl.models import (
    BYOL,
    DINO,
    EMPSSL,
    NNCLR,
    BarlowTwins,
    MoCo,
    SelfSupervisedModel,
    SimCLR,
    SimSiam,
    SupCon,
    SwAV,
    VICReg,
)

__version__ = "0.1.0"

__all__ = [
    "BYOL",
    "DINO",
    "EMPSSL",
    "NNCLR",
    "BarlowTwins",
    "MoCo",
    "SelfSupervisedModel",
    "SimCLR",
    "SimSiam",
    "SupCon",
    "SwAV",
    "VICReg",
    "callbacks",
    "data",
    "distribute",
    "encoders",
    "evaluation",
    "losses",
    "models",
    "momentum",
    "optimizers",
    "runs",
    "views",
]

"""Methods: `keras.Model`s with `compile`, `fit(unlabeled_ds)`, `save` and `export_encoder`."""

from keras_ssl.models.barlow_twins import BarlowTwins
from keras_ssl.models.base import SelfSupervisedModel
from keras_ssl.models.batch import Batch
from keras_ssl.models.byol import BYOL
from keras_ssl.models.dino import DINO
from keras_ssl.models.emp_ssl import EMPSSL
from keras_ssl.models.moco import MoCo
from keras_ssl.models.nnclr import NNCLR
from keras_ssl.models.simclr import SimCLR
from keras_ssl.models.simsiam import SimSiam
from keras_ssl.models.supcon import SupCon
from keras_ssl.models.swav import SwAV
from keras_ssl.models.vicreg import VICReg

__all__ = [
    "BYOL",
    "DINO",
    "EMPSSL",
    "NNCLR",
    "BarlowTwins",
    "Batch",
    "MoCo",
    "SelfSupervisedModel",
    "SimCLR",
    "SimSiam",
    "SupCon",
    "SwAV",
    "VICReg",
]

"""Methods: `keras.Model`s with `compile`, `fit(unlabeled_ds)`, `save` and `export_encoder`."""

from keras_ssl.models.adamatch import AdaMatch
from keras_ssl.models.barlow_twins import BarlowTwins
from keras_ssl.models.base import SelfSupervisedModel
from keras_ssl.models.batch import Batch, LabeledBatch, SemiSupervisedBatch
from keras_ssl.models.byol import BYOL
from keras_ssl.models.classifier import classifier
from keras_ssl.models.clip import CLIP
from keras_ssl.models.dash import Dash
from keras_ssl.models.dino import DINO
from keras_ssl.models.dinov2 import DINOv2
from keras_ssl.models.emp_ssl import EMPSSL
from keras_ssl.models.fixmatch import FixMatch
from keras_ssl.models.flexmatch import FlexMatch
from keras_ssl.models.freematch import FreeMatch
from keras_ssl.models.mae import MAE
from keras_ssl.models.mean_teacher import MeanTeacher
from keras_ssl.models.moco import MoCo
from keras_ssl.models.nnclr import NNCLR
from keras_ssl.models.pseudo_label import PseudoLabel
from keras_ssl.models.reclip import ReCLIP
from keras_ssl.models.semi_supervised import SemiSupervisedModel
from keras_ssl.models.simclr import SimCLR
from keras_ssl.models.simsiam import SimSiam
from keras_ssl.models.softmatch import SoftMatch
from keras_ssl.models.supcon import SupCon
from keras_ssl.models.swav import SwAV
from keras_ssl.models.uda import UDA
from keras_ssl.models.vicreg import VICReg

__all__ = [
    "BYOL",
    "CLIP",
    "DINO",
    "EMPSSL",
    "MAE",
    "NNCLR",
    "UDA",
    "AdaMatch",
    "BarlowTwins",
    "Batch",
    "DINOv2",
    "Dash",
    "FixMatch",
    "FlexMatch",
    "FreeMatch",
    "LabeledBatch",
    "MeanTeacher",
    "MoCo",
    "PseudoLabel",
    "ReCLIP",
    "SelfSupervisedModel",
    "SemiSupervisedBatch",
    "SemiSupervisedModel",
    "SimCLR",
    "SimSiam",
    "SoftMatch",
    "SupCon",
    "SwAV",
    "VICReg",
    "classifier",
]

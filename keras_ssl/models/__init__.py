"""Methods: one file per paper, each a `keras.Model` with `compile`, `fit`, `save` and `export`.

Losses are those of the full batch on any number of devices. A method runs its networks on the
images of one replica (batch norm is synchronized), gathers their outputs with
`distribute.all_gather`, and computes the loss from the gathered outputs. If the last layer has no
batch norm and a smaller input than output, a method gathers the input instead.
"""

from keras_ssl.encoders.classifier import classifier
from keras_ssl.models.self_supervised.barlow_twins import BarlowTwins
from keras_ssl.models.self_supervised.byol import BYOL
from keras_ssl.models.self_supervised.dino import DINO
from keras_ssl.models.self_supervised.dinov2 import DINOv2
from keras_ssl.models.self_supervised.emp_ssl import EMPSSL
from keras_ssl.models.self_supervised.mae import MAE
from keras_ssl.models.self_supervised.moco import MoCo
from keras_ssl.models.self_supervised.nnclr import NNCLR
from keras_ssl.models.self_supervised.simclr import SimCLR
from keras_ssl.models.self_supervised.simsiam import SimSiam
from keras_ssl.models.self_supervised.supcon import SupCon
from keras_ssl.models.self_supervised.swav import SwAV
from keras_ssl.models.self_supervised.vicreg import VICReg
from keras_ssl.models.semi_supervised.adamatch import AdaMatch
from keras_ssl.models.semi_supervised.dash import Dash
from keras_ssl.models.semi_supervised.fixmatch import FixMatch
from keras_ssl.models.semi_supervised.flexmatch import FlexMatch
from keras_ssl.models.semi_supervised.freematch import FreeMatch
from keras_ssl.models.semi_supervised.mean_teacher import MeanTeacher
from keras_ssl.models.semi_supervised.pseudo_label import PseudoLabel
from keras_ssl.models.semi_supervised.softmatch import SoftMatch
from keras_ssl.models.semi_supervised.uda import UDA
from keras_ssl.models.vision_language.clip import CLIP
from keras_ssl.models.vision_language.reclip.reclip import ReCLIP
from keras_ssl.training.batch import Batch, LabeledBatch, SemiSupervisedBatch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.training.semi_supervised import SemiSupervisedModel

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

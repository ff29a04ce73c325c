"""Methods: `keras.Model`s with `compile`, `fit(unlabeled_ds)`, `save` and `export_encoder`."""

from keras_ssl.models.base import SelfSupervisedModel
from keras_ssl.models.batch import Batch
from keras_ssl.models.simclr import SimCLR

__all__ = ["Batch", "SelfSupervisedModel", "SimCLR"]

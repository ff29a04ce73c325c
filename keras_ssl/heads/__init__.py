"""Heads: what stands between an encoder's features and a loss."""

from keras_ssl.heads.decoder import PatchDecoder
from keras_ssl.heads.dense import Prototypes, prediction, projection, prototypes, width_of
from keras_ssl.transformer import gelu

__all__ = [
    "PatchDecoder",
    "Prototypes",
    "gelu",
    "prediction",
    "projection",
    "prototypes",
    "width_of",
]

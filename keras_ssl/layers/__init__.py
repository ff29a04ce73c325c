"""Heads: what stands between an encoder's features and a loss."""

from keras_ssl.layers.heads import Prototypes, prediction, projection, prototypes, width_of
from keras_ssl.layers.patch_decoder import PatchDecoder
from keras_ssl.layers.transformer import gelu

__all__ = [
    "PatchDecoder",
    "Prototypes",
    "gelu",
    "prediction",
    "projection",
    "prototypes",
    "width_of",
]

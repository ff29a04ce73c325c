"""Layers for writing a method: heads, prototypes, EMA copies, memory banks and transformers."""

from keras_ssl.layers.ema import ema_update, freeze, make_ema_copy
from keras_ssl.layers.heads import (
    Prototypes,
    output_dim,
    prediction_head,
    projection_head,
    prototype_head,
)
from keras_ssl.layers.memory_bank import enqueue, nearest_neighbor, random_unit_vectors
from keras_ssl.layers.patch_decoder import PatchDecoder
from keras_ssl.layers.position_embedding import GridPositionEmbedding
from keras_ssl.layers.transformer import TransformerBlock, gelu

__all__ = [
    "GridPositionEmbedding",
    "PatchDecoder",
    "Prototypes",
    "TransformerBlock",
    "ema_update",
    "enqueue",
    "freeze",
    "gelu",
    "make_ema_copy",
    "nearest_neighbor",
    "output_dim",
    "prediction_head",
    "projection_head",
    "prototype_head",
    "random_unit_vectors",
]

"""Encoders: networks from images `(B, H, W, C)` in 0..1 to features `(B, D)`."""

from keras_ssl.encoders.keras_application import keras_application
from keras_ssl.encoders.keras_hub import keras_hub, keras_hub_clip
from keras_ssl.encoders.resnet import resnet18, resnet34, resnet50
from keras_ssl.encoders.small_resnet import small_resnet
from keras_ssl.encoders.text_transformer import text_transformer
from keras_ssl.encoders.vit import vit, vit_base, vit_small, vit_tiny
from keras_ssl.encoders.wide_resnet import wide_resnet

__all__ = [
    "keras_application",
    "keras_hub",
    "keras_hub_clip",
    "resnet18",
    "resnet34",
    "resnet50",
    "small_resnet",
    "text_transformer",
    "vit",
    "vit_base",
    "vit_small",
    "vit_tiny",
    "wide_resnet",
]

"""Plots of the attention maps of vision transformers."""

import keras
import numpy as np

from keras_ssl._types import PathLike, Tensor
from keras_ssl.evaluation.plots.images import plot_images
from keras_ssl.images import to_unit_range


def plot_attention(encoder: keras.Model, images: Tensor, path: PathLike) -> np.ndarray:
    """Plots images in the first column and the attention of the class token in the others.

    Args:
        encoder: A vision transformer from `encoders.vit`.
        images: Array `(N, H, W, C)`, uint8 or float 0..1; one row each.
        path: File to write, `.png`: a column for the mean over the attention heads of the last
            block, and one for each head. Each map is scaled so that the patch with the least
            attention is black and the patch with the most attention is white.

    Returns:
        Float array `(N, heads, h, w)`, the maps.

    Raises:
        TypeError: If the encoder has no attention maps.
    """
    if not hasattr(encoder, "attention_maps"):
        raise TypeError(
            "`encoder` must be a vision transformer, keras_ssl.encoders.vit(...). Received "
            f"{type(encoder).__name__}."
        )
    maps = np.asarray(encoder.attention_maps(to_unit_range(images)), "float32")
    shown = np.concatenate([maps.mean(axis=1, keepdims=True), maps], axis=1)
    low = shown.min(axis=(2, 3), keepdims=True)
    shown = (shown - low) / np.maximum(shown.max(axis=(2, 3), keepdims=True) - low, 1e-12)
    titles = ["mean of heads", *(f"head {index + 1}" for index in range(maps.shape[1]))]
    columns = [(title, shown[:, index, :, :, None]) for index, title in enumerate(titles)]
    plot_images([("image", np.asarray(images)), *columns], path)
    return maps

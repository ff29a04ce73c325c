"""Where a vision transformer looks."""

import numpy as np

from keras_ssl.evaluation.plots.figures import plot_images
from keras_ssl.images import to_unit_range


def plot_attention(encoder, images, path):
    """Draws images in the first column, and beside each what the class token attends to.

    Args:
        encoder: What `encoders.vit` returns.
        images: Array `(N, H, W, C)`, uint8 or float 0..1; a row each.
        path: File to write, `.png`: a column for each attention head of the last block, and their
            mean. Each map is brighter where attention is above that of the other patches; the
            brightest patch is white.

    Returns:
        Float array `(N, heads, h, w)`, the maps.

    Raises:
        TypeError: If the encoder has no attention maps.
    """
    if not hasattr(encoder, "attention_maps"):
        raise TypeError(
            "`encoder` must be a vision transformer, keras_ssl.encoders.vit(...), received "
            f"{type(encoder).__name__}."
        )
    maps = np.asarray(encoder.attention_maps(to_unit_range(images)), "float32")
    shown = np.concatenate([maps.mean(axis=1, keepdims=True), maps], axis=1)
    low = shown.min(axis=(2, 3), keepdims=True)
    shown = (shown - low) / np.maximum(shown.max(axis=(2, 3), keepdims=True) - low, 1e-12)
    titles = ["all heads", *(f"head {index + 1}" for index in range(maps.shape[1]))]
    columns = [(title, shown[:, index, :, :, None]) for index, title in enumerate(titles)]
    plot_images([("image", np.asarray(images)), *columns], path)
    return maps

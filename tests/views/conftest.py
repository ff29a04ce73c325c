import numpy as np
import pytest
import tensorflow as tf

from keras_ssl.views import per_image


@pytest.fixture(params=["batch", "per image"])
def apply(request, monkeypatch):
    """Applies a view to small images by each of its implementations.

    The implementation for large images runs in a graph, as in a pipeline: eager loops are slow.
    """
    is_per_image = request.param == "per image"
    monkeypatch.setattr(per_image, "MIN_PIXELS", 1 if is_per_image else 10**9)

    def apply_view(view, images, seed=(3, 4)):
        if not is_per_image:
            return np.asarray(view(images, seed))
        return tf.function(lambda images: view(images, seed))(images).numpy()

    return apply_view

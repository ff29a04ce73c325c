import numpy as np
import pytest

from keras_ssl import encoders
from keras_ssl.evaluation.plots import plot_attention

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype="uint8")


def test_plot_attention_plots_and_returns_the_maps_of_each_head(tmp_path):
    encoder = encoders.vit((8, 8, 1), 2, 8, 1, 2)
    maps = plot_attention(encoder, IMAGES, tmp_path / "a.png")
    expected = encoder.attention_maps(IMAGES.astype("float32") / 255)
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert maps.shape == (3, 2, 4, 4)
    assert (tmp_path / "a.png").stat().st_size > 0


def test_plot_attention_rejects_an_encoder_without_attention_maps(tmp_path):
    with pytest.raises(TypeError, match="`encoder` must be a vision transformer"):
        plot_attention(encoders.small_resnet((8, 8, 1)), IMAGES, tmp_path / "a.png")

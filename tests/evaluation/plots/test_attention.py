import numpy as np
import pytest

from keras_ssl import encoders, evaluation

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype="uint8")


def test_the_maps_of_each_head_are_drawn_and_returned(tmp_path):
    encoder = encoders.vit((8, 8, 1), 2, 8, 1, 2)
    maps = evaluation.plots.plot_attention(encoder, IMAGES, tmp_path / "a.png")
    expected = encoder.attention_maps(IMAGES.astype("float32") / 255)
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert maps.shape == (3, 2, 4, 4)
    assert (tmp_path / "a.png").stat().st_size > 0


def test_what_has_no_attention_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`encoder` must be a vision transformer"):
        evaluation.plots.plot_attention(
            encoders.small_resnet((8, 8, 1)), IMAGES, tmp_path / "a.png"
        )

import numpy as np
from PIL import Image, ImageOps

from keras_ssl.views import Solarize

IMAGES = np.random.default_rng(0).integers(0, 256, (500, 6, 7, 3), "uint8")


def test_solarize_is_equal_to_pil(apply):
    for threshold in (0, 1, 128, 255):
        results = apply(Solarize(threshold / 255), IMAGES[:1])[0]
        expected = np.asarray(ImageOps.solarize(Image.fromarray(IMAGES[0]), threshold)) / 255
        np.testing.assert_allclose(results, expected, atol=1e-6)


def test_each_image_is_solarized_with_the_probability_or_unchanged(apply):
    results = apply(Solarize(probability=0.2), IMAGES)
    is_unchanged = np.abs(results - IMAGES / 255).max(axis=(1, 2, 3)) < 1e-6
    is_solarized = results.max(axis=(1, 2, 3)) <= 0.5
    assert np.all(is_unchanged != is_solarized)
    assert abs(is_solarized.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 500)


def test_solarize_inverts_gray_images_and_does_not_change_alpha(apply):
    bright = np.full((1, 2, 2, 4), 0.75, "float32")
    np.testing.assert_allclose(apply(Solarize(), bright[..., :1]), bright[..., :1] - 0.5)
    np.testing.assert_allclose(apply(Solarize(), bright), bright - [0.5, 0.5, 0.5, 0])

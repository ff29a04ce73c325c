import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_ssl.views import Solarize, per_image

IMAGES = np.random.default_rng(0).integers(0, 256, (500, 6, 7, 3), "uint8")


@pytest.fixture(autouse=True, params=["at once", "one by one"])
def way(request, monkeypatch):
    """Every test is of small images, and of the way that large ones go."""
    monkeypatch.setattr(per_image, "LARGE", 10**9 if request.param == "at once" else 1)


def test_agrees_with_pil():
    for threshold in (0, 1, 128, 255):
        results = np.asarray(Solarize(threshold / 255)(IMAGES[:1], (0, 1)))[0]
        expected = np.asarray(ImageOps.solarize(Image.fromarray(IMAGES[0]), threshold)) / 255
        np.testing.assert_allclose(results, expected, atol=1e-6)


def test_is_as_frequent_as_asked_and_else_changes_nothing():
    results = np.asarray(Solarize(probability=0.2)(IMAGES, (0, 1)))
    left = np.abs(results - IMAGES / 255).max(axis=(1, 2, 3)) < 1e-6
    changed = results.max(axis=(1, 2, 3)) <= 0.5
    assert np.all(left != changed)
    assert abs(changed.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 500)


def test_gray_images_are_inverted_too_and_alpha_stays():
    bright = np.full((1, 2, 2, 4), 0.75, "float32")
    np.testing.assert_allclose(Solarize()(bright[..., :1], (0, 1)), bright[..., :1] - 0.5)
    expected = bright - [0.5, 0.5, 0.5, 0]
    np.testing.assert_allclose(Solarize()(bright, (0, 1)), expected)

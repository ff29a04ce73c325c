import numpy as np
import pytest
from PIL import Image

from keras_ssl.views import RandomGrayscale, per_image

IMAGES = np.random.default_rng(0).integers(0, 256, (500, 4, 5, 3), "uint8")


@pytest.fixture(autouse=True, params=["at once", "one by one"])
def way(request, monkeypatch):
    """Every test is of small images, and of the way that large ones go."""
    monkeypatch.setattr(per_image, "LARGE", 10**9 if request.param == "at once" else 1)


def test_each_color_becomes_the_luminance_of_itu_601():
    results = np.asarray(RandomGrayscale(1.0)(IMAGES, (0, 1)))
    expected = (IMAGES / 255) @ [0.2989, 0.587, 0.114]  # torchvision's digits
    for channel in range(3):
        np.testing.assert_allclose(results[..., channel], expected, atol=1e-6)


def test_agrees_with_pil_to_its_rounding():
    results = np.asarray(RandomGrayscale(1.0)(IMAGES[:1], (0, 1)))[0, :, :, 0]
    expected = np.asarray(Image.fromarray(IMAGES[0]).convert("L")) / 255
    np.testing.assert_allclose(results, expected, atol=0.51 / 255)


def test_is_as_frequent_as_asked_and_else_changes_nothing():
    results = np.asarray(RandomGrayscale(0.2)(IMAGES, (0, 1)))
    left = np.abs(results - IMAGES / 255).max(axis=(1, 2, 3)) < 1e-6
    gray = np.ptp(results, axis=-1).max(axis=(1, 2)) == 0
    assert np.all(left != gray)
    assert abs(gray.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 500)


def test_gray_images_and_alpha_stay_as_they_are():
    gray, alpha = IMAGES[..., :1], IMAGES[..., 1:2]
    np.testing.assert_allclose(RandomGrayscale(1.0)(gray, (0, 1)), gray / 255, atol=1e-6)
    results = np.asarray(RandomGrayscale(1.0)(np.concatenate([IMAGES, alpha], -1), (0, 1)))
    np.testing.assert_allclose(results[..., 3:], alpha / 255, atol=1e-6)
    np.testing.assert_allclose(results[..., :3], RandomGrayscale(1.0)(IMAGES, (0, 1)), atol=1e-6)

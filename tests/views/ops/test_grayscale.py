import numpy as np
from PIL import Image

from keras_ssl.views import RandomGrayscale

IMAGES = np.random.default_rng(0).integers(0, 256, (500, 4, 5, 3), "uint8")


def test_grayscale_is_the_luminance_of_itu_601(apply):
    results = apply(RandomGrayscale(1.0), IMAGES)
    expected = (IMAGES / 255) @ [0.2989, 0.587, 0.114]  # torchvision's weights
    for channel in range(3):
        np.testing.assert_allclose(results[..., channel], expected, atol=1e-6)


def test_grayscale_is_equal_to_pil_up_to_rounding(apply):
    results = apply(RandomGrayscale(1.0), IMAGES[:1])[0, :, :, 0]
    expected = np.asarray(Image.fromarray(IMAGES[0]).convert("L")) / 255
    np.testing.assert_allclose(results, expected, atol=0.51 / 255)


def test_each_image_is_gray_with_the_probability_or_unchanged(apply):
    results = apply(RandomGrayscale(0.2), IMAGES)
    is_unchanged = np.abs(results - IMAGES / 255).max(axis=(1, 2, 3)) < 1e-6
    is_gray = np.ptp(results, axis=-1).max(axis=(1, 2)) == 0
    assert np.all(is_unchanged != is_gray)
    assert abs(is_gray.mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 500)


def test_grayscale_does_not_change_gray_images_and_alpha(apply):
    gray, alpha = IMAGES[..., :1], IMAGES[..., 1:2]
    np.testing.assert_allclose(apply(RandomGrayscale(1.0), gray), gray / 255, atol=1e-6)
    results = apply(RandomGrayscale(1.0), np.concatenate([IMAGES, alpha], -1))
    np.testing.assert_allclose(results[..., 3:], alpha / 255, atol=1e-6)
    np.testing.assert_allclose(results[..., :3], apply(RandomGrayscale(1.0), IMAGES), atol=1e-6)

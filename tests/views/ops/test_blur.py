import numpy as np
import pytest
from scipy import ndimage, stats

from keras_ssl.views import GaussianBlur


def scipy_blur(image, sigma, radius):
    """SciPy's Gaussian in float64. Its mode "mirror" is torchvision's "reflect"."""
    image = image.astype(float)
    return ndimage.gaussian_filter(
        image, (sigma, sigma, 0), mode="mirror", radius=(radius, radius, 0)
    )


def fixed_blur(sigma, kernel_size=None):
    return GaussianBlur((sigma, sigma), kernel_size, probability=1.0)


@pytest.mark.parametrize("size", [(40, 64), (30, 31), (5, 4)])
def test_blur_is_equal_to_scipy(rng, size, apply):
    images = rng.random((2, *size, 3), "float32")
    for sigma in (0.1, 0.7, 2.0):
        results = apply(fixed_blur(sigma, 23), images)
        for result, image in zip(results, images, strict=True):
            np.testing.assert_allclose(result, scipy_blur(image, sigma, 11), atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "taps"), [((224, 300), 23), ((300, 96), 9), ((64, 64), 7), ((32, 32), 3), ((8, 8), 3)]
)
def test_the_default_kernel_is_a_tenth_of_the_shorter_side(size, taps, apply):
    dot = np.zeros((1, *size, 1), "float32")
    dot[0, size[0] // 2, size[1] // 2] = 1
    result = apply(fixed_blur(5.0), dot)[0, :, :, 0]
    assert np.count_nonzero(result.sum(0)) == np.count_nonzero(result.sum(1)) == taps


def test_the_standard_deviation_is_uniform_in_sigma(apply):
    dots = np.zeros((1000, 7, 7, 1), "float32")
    dots[:, 3, 3] = 1
    rows = apply(GaussianBlur((0.5, 2.0), 5, probability=1.0), dots).sum((1, 3))
    # Neighboring values of a Gaussian have the ratio exp(-1 / (2 sigma^2)).
    sigmas = np.sqrt(-0.5 / np.log(rows[:, 4] / rows[:, 3]))
    assert stats.kstest(sigmas, "uniform", (0.5, 1.5)).pvalue > 0.01


def test_each_image_is_blurred_with_the_probability_or_unchanged(rng, apply):
    images = rng.random((1000, 6, 6, 1), "float32")
    results = apply(GaussianBlur((1.0, 2.0), probability=0.3), images)
    unchanged = (results == images).all(axis=(1, 2, 3)).mean()
    assert abs(unchanged - 0.7) < 4 * np.sqrt(0.3 * 0.7 / 1000)


def test_blur_does_not_change_an_image_of_one_color(apply):
    images = np.broadcast_to(np.float32([0.0, 0.3, 1.0]), (2, 9, 9, 3))
    np.testing.assert_allclose(apply(fixed_blur(2.0), images), images, atol=1e-6)

import numpy as np
import pytest
from scipy import ndimage, stats

from keras_ssl.views import GaussianBlur, per_image

SEED = (3, 4)


@pytest.fixture(autouse=True, params=["by matrices", "one by one"])
def way(request, monkeypatch):
    """Every test is of small images, and of the way that large ones go."""
    monkeypatch.setattr(per_image, "LARGE", 10**9 if request.param == "by matrices" else 1)


def blurred(image, sigma, radius):
    """SciPy's, in float64; its mode mirror is what torchvision calls reflect."""
    image = image.astype(float)
    return ndimage.gaussian_filter(
        image, (sigma, sigma, 0), mode="mirror", radius=(radius, radius, 0)
    )


def always(sigma, kernel_size=None):
    return GaussianBlur((sigma, sigma), kernel_size, probability=1.0)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("size", [(40, 64), (30, 31), (5, 4)])
def test_agrees_with_scipy(rng, sigma, size):
    images = rng.random((2, *size, 3), "float32")
    results = always(sigma, 23)(images, SEED)
    for result, image in zip(results, images, strict=True):
        np.testing.assert_allclose(result, blurred(image, sigma, 11), atol=2e-6)


@pytest.mark.parametrize(
    ("size", "taps"), [((224, 300), 23), ((300, 96), 9), ((64, 64), 7), ((32, 32), 3), ((8, 8), 3)]
)
def test_the_kernel_is_a_tenth_of_the_shorter_side(size, taps):
    dot = np.zeros((1, *size, 1), "float32")
    dot[0, size[0] // 2, size[1] // 2] = 1
    result = np.asarray(always(5.0)(dot, SEED))[0, :, :, 0]
    assert np.count_nonzero(result.sum(0)) == np.count_nonzero(result.sum(1)) == taps


def test_widths_are_uniform_in_their_range():
    dots = np.zeros((1000, 7, 7, 1), "float32")
    dots[:, 3, 3] = 1
    rows = np.asarray(GaussianBlur((0.5, 2.0), 5, probability=1.0)(dots, SEED)).sum((1, 3))
    # Neighbors in a Gaussian have the ratio exp(-1 / (2 sigma^2)).
    n_sigma = np.sqrt(-0.5 / np.log(rows[:, 4] / rows[:, 3]))
    assert stats.kstest(n_sigma, "uniform", (0.5, 1.5)).pvalue > 0.01


def test_is_as_frequent_as_asked_and_else_changes_nothing(rng):
    images = rng.random((1000, 6, 6, 1), "float32")
    results = np.asarray(GaussianBlur((1.0, 2.0), probability=0.3)(images, SEED))
    left = (results == images).all(axis=(1, 2, 3)).mean()
    assert abs(left - 0.7) < 4 * np.sqrt(0.3 * 0.7 / 1000)


def test_one_color_stays_that_color():
    images = np.broadcast_to(np.float32([0.0, 0.3, 1.0]), (2, 9, 9, 3))
    np.testing.assert_allclose(always(2.0)(images, SEED), images, atol=1e-6)

import colorsys

import numpy as np
import pytest
from scipy import stats

from keras_ssl.views import ColorJitter, per_image

SEED = (3, 4)
GRAY = np.array([0.2989, 0.587, 0.114])


def brightness(image, factor):
    return np.clip(factor * image, 0, 1)


def contrast(image, factor):
    return np.clip(factor * image + (1 - factor) * (image @ GRAY).mean(), 0, 1)


def saturation(image, factor):
    return np.clip(factor * image + (1 - factor) * (image @ GRAY)[..., None], 0, 1)


def hue(image, turn):
    def turned(pixel):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((h + turn) % 1, s, v)

    return np.apply_along_axis(turned, -1, image)


OPERATIONS = [brightness, contrast, saturation, hue]  # torchvision's, on floats


def images_of(batch, size=6, channels=3):
    return np.random.default_rng(0).random((batch, size, size, channels), "float32")


def draws_of(view, batch, count):
    return np.asarray(view.draws(np.zeros((batch, 1, 1, 3)), SEED, count))


@pytest.fixture(autouse=True, params=["in groups", "one by one"])
def way(request, monkeypatch):
    """Every test is of small images, and of the way that large ones go."""
    monkeypatch.setattr(per_image, "LARGE", 10**9 if request.param == "in groups" else 1)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_each_image_gets_the_four_changes_of_torchvision_in_its_own_order(strength):
    limits = strength * np.array([0.8, 0.8, 0.8, 0.2])
    view = ColorJitter(*limits.tolist())
    images = images_of(40)
    draws = draws_of(view, 40, 9)
    orders = np.argsort(draws[:, :4])
    amounts = np.array([1, 1, 1, 0]) - limits + 2 * limits * draws[:, 4:8]
    for result, image, order, amount in zip(
        view(images, SEED), images, orders, amounts, strict=True
    ):
        expected = image.astype(float)
        for operation in order:
            expected = OPERATIONS[operation](expected, amount[operation])
        np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("amount", [0.0, 0.3, 0.5])
def test_a_change_alone_is_the_formula_of_torchvision(operation, amount):
    images = images_of(3)
    images[0] = 0.4  # gray: without hue and saturation
    images[1, :3] = 0  # black
    images[1, 3:] = [1, 0, 0]
    results = ColorJitter(**{operation.__name__: (amount, amount)})(images, SEED)
    for result, image in zip(results, images, strict=True):
        np.testing.assert_allclose(result, operation(image.astype(float), amount), atol=1e-5)


def test_factors_above_one_and_turns_backwards_are_the_formula_too():
    images = images_of(2)
    for operation, amount in ((brightness, 1.7), (contrast, 1.7), (saturation, 1.7), (hue, -0.4)):
        results = ColorJitter(**{operation.__name__: (amount, amount)})(images, SEED)
        for result, image in zip(results, images, strict=True):
            np.testing.assert_allclose(result, operation(image.astype(float), amount), atol=1e-5)


@pytest.mark.parametrize(
    ("brightness", "low", "high"), [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5), ((0.2, 0.5), 0.2, 0.5)]
)
def test_factors_are_uniform_in_their_range(brightness, low, high):
    images = np.full((2000, 1, 1, 3), 0.25, "float32")
    factors = np.asarray(ColorJitter(brightness)(images, SEED))[:, 0, 0, 0] / 0.25
    assert stats.kstest(factors, "uniform", (low, high - low)).pvalue > 0.01


def test_turns_of_the_hue_are_uniform_on_both_sides():
    red = np.broadcast_to(np.float32([1, 0, 0]), (2000, 1, 1, 3))
    pixels = np.asarray(ColorJitter(hue=0.2)(red, SEED))[:, 0, 0]
    turns = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in pixels])
    turns = (turns + 0.5) % 1 - 0.5
    assert stats.kstest(turns, "uniform", (-0.2, 0.4)).pvalue > 0.01


def test_all_orders_are_equally_frequent():
    view = ColorJitter(0.1, 0.1, 0.1, 0.1)
    orders = np.argsort(draws_of(view, 4800, 9)[:, :4])
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.01
    # And they show in the pixels: a black and white image, made darker before or after the clamp.
    image = np.repeat(np.float32([[[[0, 0, 0], [1, 1, 1]]]]), 1000, axis=0)
    white = np.asarray(ColorJitter((0.5, 0.5), (3.0, 3.0))(image, SEED))[:, 0, 1, 0]
    assert set(np.round(white, 3)) == {0.5, 1.0}
    assert abs((white == 0.5).mean() - 0.5) < 4 * np.sqrt(0.25 / 1000)


def test_is_as_frequent_as_asked_and_else_changes_nothing():
    images = images_of(1000, size=2)
    results = np.asarray(ColorJitter(0.8, 0.8, 0.8, 0.2, probability=0.8)(images, SEED))
    left = (results == images).all(axis=(1, 2, 3)).mean()
    assert abs(left - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 1000)


def test_gray_images_have_brightness_and_contrast_alone():
    images = images_of(20, channels=1)
    view = ColorJitter(0.5, 0.5, 0.5, 0.2)
    results = np.asarray(view(images, SEED))
    colors = ColorJitter(0.5, 0.5)(np.repeat(images, 3, axis=-1), SEED)
    # GRAY sums to 0.9999: torchvision leaves gray images as they are, to that.
    np.testing.assert_allclose(results, np.asarray(colors)[..., :1], atol=2e-4)
    np.testing.assert_array_equal(ColorJitter(0, 0, 0.5, 0.2)(images, SEED), images)


def test_alpha_stays_as_it_is():
    images, view = images_of(20, channels=4), ColorJitter(0.8, 0.8, 0.8, 0.2)
    results = np.asarray(view(images, SEED))
    np.testing.assert_array_equal(results[..., 3], images[..., 3])
    np.testing.assert_allclose(results[..., :3], view(images[..., :3], SEED), atol=1e-6)


def test_of_strength_0_nothing_changes():
    images = images_of(3)
    np.testing.assert_array_equal(ColorJitter()(images, SEED), images)


def test_without_a_compiler_large_images_change_likewise(monkeypatch):
    assert per_image.supports_xla()
    images, view = images_of(12), ColorJitter(0.8, 0.8, 0.8, 0.2, probability=0.7)
    found = view(images, SEED)
    monkeypatch.setattr(per_image, "can_compile", lambda: False)
    np.testing.assert_allclose(found, view(images, SEED), atol=1e-6)

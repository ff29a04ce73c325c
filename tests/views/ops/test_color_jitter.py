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
    def rotate(pixel):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((h + turn) % 1, s, v)

    return np.apply_along_axis(rotate, -1, image)


OPERATIONS = [brightness, contrast, saturation, hue]  # torchvision's on floats


def images_of(batch, size=6, channels=3):
    return np.random.default_rng(0).random((batch, size, size, channels), "float32")


def random_numbers(view, batch, count):
    return np.asarray(view.uniform(np.zeros((batch, 1, 1, 3)), SEED, count))


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_each_image_gets_torchvisions_four_changes_in_its_own_order(strength, apply):
    limits = strength * np.array([0.8, 0.8, 0.8, 0.2])
    view = ColorJitter(*limits.tolist())
    images = images_of(40)
    draws = random_numbers(view, 40, 9)
    orders = np.argsort(draws[:, :4])
    amounts = np.array([1, 1, 1, 0]) - limits + 2 * limits * draws[:, 4:8]
    for result, image, order, amount in zip(
        apply(view, images), images, orders, amounts, strict=True
    ):
        expected = image.astype(float)
        for operation in order:
            expected = OPERATIONS[operation](expected, amount[operation])
        np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("amount", [0.0, 0.3, 0.5])
def test_a_single_change_is_torchvisions_formula(operation, amount, apply):
    images = images_of(3)
    images[0] = 0.4  # gray: has neither hue nor saturation
    images[1, :3] = 0  # black
    images[1, 3:] = [1, 0, 0]
    results = apply(ColorJitter(**{operation.__name__: (amount, amount)}), images)
    for result, image in zip(results, images, strict=True):
        np.testing.assert_allclose(result, operation(image.astype(float), amount), atol=1e-5)


def test_factors_above_1_and_negative_hue_rotations_are_torchvisions_formula(apply):
    images = images_of(2)
    for operation, amount in ((brightness, 1.7), (contrast, 1.7), (saturation, 1.7), (hue, -0.4)):
        results = apply(ColorJitter(**{operation.__name__: (amount, amount)}), images)
        for result, image in zip(results, images, strict=True):
            np.testing.assert_allclose(result, operation(image.astype(float), amount), atol=1e-5)


@pytest.mark.parametrize(
    ("brightness", "low", "high"), [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5), ((0.2, 0.5), 0.2, 0.5)]
)
def test_brightness_factors_are_uniform_in_their_range(brightness, low, high, apply):
    images = np.full((2000, 1, 1, 3), 0.25, "float32")
    factors = apply(ColorJitter(brightness), images)[:, 0, 0, 0] / 0.25
    assert stats.kstest(factors, "uniform", (low, high - low)).pvalue > 0.01


def test_hue_rotations_are_uniform_in_both_directions(apply):
    red = np.broadcast_to(np.float32([1, 0, 0]), (2000, 1, 1, 3))
    pixels = apply(ColorJitter(hue=0.2), red)[:, 0, 0]
    turns = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in pixels])
    turns = (turns + 0.5) % 1 - 0.5
    assert stats.kstest(turns, "uniform", (-0.2, 0.4)).pvalue > 0.01


def test_all_orders_of_the_changes_are_equally_frequent(apply):
    view = ColorJitter(0.1, 0.1, 0.1, 0.1)
    orders = np.argsort(random_numbers(view, 4800, 9)[:, :4])
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.01
    # The order changes the pixels: a black and white image, darkened before or after clipping.
    image = np.repeat(np.float32([[[[0, 0, 0], [1, 1, 1]]]]), 1000, axis=0)
    white = apply(ColorJitter((0.5, 0.5), (3.0, 3.0)), image)[:, 0, 1, 0]
    assert set(np.round(white, 3)) == {0.5, 1.0}
    assert abs((white == 0.5).mean() - 0.5) < 4 * np.sqrt(0.25 / 1000)


def test_each_image_is_jittered_with_the_probability_or_unchanged(apply):
    images = images_of(1000, size=2)
    results = apply(ColorJitter(0.8, 0.8, 0.8, 0.2, probability=0.8), images)
    unchanged = (results == images).all(axis=(1, 2, 3)).mean()
    assert abs(unchanged - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 1000)


def test_gray_images_change_only_in_brightness_and_contrast(apply):
    images = images_of(20, channels=1)
    view = ColorJitter(0.5, 0.5, 0.5, 0.2)
    results = apply(view, images)
    colors = apply(ColorJitter(0.5, 0.5), np.repeat(images, 3, axis=-1))
    # GRAY sums to 0.9999. Up to that, torchvision does not change gray images.
    np.testing.assert_allclose(results, colors[..., :1], atol=2e-4)
    np.testing.assert_array_equal(apply(ColorJitter(0, 0, 0.5, 0.2), images), images)


def test_color_jitter_does_not_change_alpha(apply):
    images, view = images_of(20, channels=4), ColorJitter(0.8, 0.8, 0.8, 0.2)
    results = apply(view, images)
    np.testing.assert_array_equal(results[..., 3], images[..., 3])
    np.testing.assert_allclose(results[..., :3], apply(view, images[..., :3]), atol=1e-6)


def test_color_jitter_of_strength_0_changes_nothing(apply):
    images = images_of(3)
    np.testing.assert_array_equal(apply(ColorJitter(), images), images)


def test_large_images_are_equal_with_and_without_xla(apply, monkeypatch):
    assert per_image.supports_xla()
    images, view = images_of(12), ColorJitter(0.8, 0.8, 0.8, 0.2, probability=0.7)
    compiled = apply(view, images)
    monkeypatch.setattr(per_image, "supports_xla", lambda: False)
    np.testing.assert_allclose(compiled, apply(view, images), atol=1e-6)

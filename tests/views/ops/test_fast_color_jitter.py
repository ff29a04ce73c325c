"""FastColorJitter against its formula in NumPy, and its distance from ColorJitter."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_sample_images

from keras_ssl import views
from keras_ssl.views import ColorJitter, FastColorJitter, fast_colors

SEED = (3, 4)
GRAY = np.array([0.2989, 0.587, 0.114])
YIQ = np.array([GRAY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def images_of(batch, size=6, channels=3):
    return np.random.default_rng(0).random((batch, size, size, channels), "float32")


def color_map(image, brightness, contrast, saturation, hue):
    """Changes one image step by step, contrast last."""
    image = brightness * image.astype("float64")
    image = saturation * image + (1 - saturation) * (image @ GRAY)[..., None]
    parts, angle = image @ YIQ.T, 2 * np.pi * hue
    i, q = parts[..., 1], parts[..., 2]
    rotated = [parts[..., 0], np.cos(angle) * i + np.sin(angle) * q]
    rotated += [np.cos(angle) * q - np.sin(angle) * i]
    image = np.stack(rotated, axis=-1) @ np.linalg.inv(YIQ).T
    return np.clip(contrast * image + (1 - contrast) * (image @ GRAY).mean(), 0, 1)


def random_amounts(view, batch):
    """Returns the random numbers of each image: four amounts, whether gray, whether changed."""
    draws = np.asarray(view.uniform(np.zeros((batch, 1, 1, 3)), SEED, 6))
    limits = np.array([view.brightness, view.contrast, view.saturation, view.hue])
    amounts = np.array([1, 1, 1, 0]) - limits + 2 * limits * draws[:, :4]
    return amounts, draws[:, 4] < view.grayscale, draws[:, 5] < view.probability


def test_each_image_gets_the_formula_with_its_own_amounts(apply):
    images, view = images_of(60), FastColorJitter(0.8, 0.8, 0.8, 0.2, 0.7, grayscale=0.3)
    amounts, is_gray, is_changed = random_amounts(view, 60)
    assert 0 < is_gray.sum() < 60
    assert 0 < is_changed.sum() < 60
    for index, result in enumerate(apply(view, images)):
        expected = images[index].astype("float64")
        if is_changed[index]:
            expected = color_map(images[index], *amounts[index])
        if not is_gray[index]:
            np.testing.assert_allclose(result, expected, atol=2e-6)
            continue
        np.testing.assert_allclose(result, result[..., :1].repeat(3, -1), atol=1e-7)
        if not is_changed[index]:
            np.testing.assert_allclose(result[..., 0], expected @ GRAY, atol=2e-6)


def test_hue_rotates_in_the_direction_of_hsv_at_constant_luminance(apply):
    red = np.full((1, 2, 2, 3), [0.6, 0.3, 0.3], "float32")
    rotated = apply(FastColorJitter(hue=(1 / 3, 1 / 3)), red)
    assert rotated[0, 0, 0].argmax() == 1  # green, as in HSV
    np.testing.assert_allclose(rotated @ GRAY, red @ GRAY, atol=1e-6)
    np.testing.assert_allclose(
        apply(FastColorJitter(hue=(0.5, 0.5)), rotated * 0 + 0.4), 0.4, atol=1e-6
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_fast_color_jitter_keeps_alpha_and_applies_contrast_to_gray_images(channels, apply):
    images = images_of(30, channels=channels)
    view = FastColorJitter(0.8, 0.8, 0.8, 0.2, grayscale=0.5)
    results = apply(view, images)
    if channels == 4:
        np.testing.assert_array_equal(results[..., 3], images[..., 3])
        np.testing.assert_allclose(results[..., :3], apply(view, images[..., :3]), atol=1e-6)
    else:
        brighter = apply(FastColorJitter((1.2, 1.2), (0.0, 0.0)), images)
        means = 1.2 * images.mean(axis=(1, 2, 3))
        np.testing.assert_allclose(brighter[:, 0, 0, 0], means, atol=1e-6)


def test_batches_of_unknown_size_get_the_same_colors(apply):
    images, view = images_of(12), FastColorJitter(0.8, 0.8, 0.8, 0.2, grayscale=0.3)
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    results = tf.function(lambda x: view(x, SEED), input_signature=signature)(images)
    np.testing.assert_allclose(results, apply(view, images), atol=1e-6)


@pytest.mark.slow
def test_fast_color_jitter_is_close_to_color_jitter_on_photographs(apply):
    """Within 12 of 255 levels on average for strong jitter, a third of the change of colors."""
    photographs = np.stack([image[:400:4, :600:4] for image in load_sample_images().images])
    rng, distances, changes = np.random.default_rng(0), [], []
    for _ in range(20):
        amounts = [(x, x) for x in [*rng.uniform(0.2, 1.8, 3).tolist(), rng.uniform(-0.2, 0.2)]]
        slow, fast = (apply(kind(*amounts), photographs) for kind in (ColorJitter, FastColorJitter))
        distances.append(255 * np.abs(slow - fast).mean())
        changes.append(np.abs(255 * slow - photographs).mean())
    assert np.mean(distances) < 12
    assert np.mean(changes) > 3 * np.mean(distances)


def test_fast_colors_replaces_the_colors_of_each_view():
    first, second = views.byol(64)
    fast_views = fast_colors((first, second))
    for slow, fast in zip((first, second), fast_views, strict=True):
        kinds = [type(part).__name__ for part in fast.views]
        assert kinds[:3] == ["RandomResizedCrop", "RandomFlip", "FastColorJitter"]
        assert "RandomGrayscale" not in kinds
        fast_jitter, (jitter, gray) = fast.views[2], slow.views[2:4]
        assert dataclasses.astuple(fast_jitter) == (*dataclasses.astuple(jitter), gray.probability)
        assert fast.views[3:] == slow.views[4:]
    assert fast_colors(first) == fast_views[0]
    assert fast_colors(ColorJitter(0.4)) == FastColorJitter(0.4)
    small = views.RandomResizedCrop(4)
    assert fast_colors(views.multi_crop(ColorJitter(0.4), small, 2))[2:] == (small, small)


def test_fast_colors_rejects_views_without_color_jitter():
    with pytest.raises(ValueError, match="`views` has no ColorJitter"):
        fast_colors((views.RandomFlip(),))
    for invalid in (3, (), [views.RandomFlip(), "simclr"]):
        with pytest.raises(TypeError, match="`views` must be a view or a sequence of views"):
            fast_colors(invalid)
    with pytest.raises(ValueError, match="`grayscale` must be in"):
        FastColorJitter(grayscale=1.5)


def test_fast_colors_are_saved_with_a_model(tmp_path):
    from keras_ssl import SimCLR, encoders

    model = SimCLR(encoders.small_resnet((8, 8, 3)), views=fast_colors(views.simclr(8)))
    model.compile("sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.views == model.views

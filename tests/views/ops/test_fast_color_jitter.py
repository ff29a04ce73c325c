"""The fast color change against its formula in NumPy, and how far it is from ColorJitter."""

import dataclasses

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from keras_ssl import views
from keras_ssl.views import ColorJitter, FastColorJitter, per_image
from keras_ssl.views.presets.fast_colors import fast_colors

SEED = (3, 4)
GRAY = np.array([0.2989, 0.587, 0.114])
YIQ = np.array([GRAY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@pytest.fixture(autouse=True, params=["at once", "one by one"])
def way(request, monkeypatch):
    """Every test is of small images, and of the way that large ones go."""
    monkeypatch.setattr(per_image, "LARGE", 10**9 if request.param == "at once" else 1)


def images_of(batch, size=6, channels=3):
    return np.random.default_rng(0).random((batch, size, size, channels), "float32")


def changed(image, brightness, contrast, saturation, hue):
    """What one image becomes, step by step; contrast last."""
    image = brightness * image.astype("float64")
    image = saturation * image + (1 - saturation) * (image @ GRAY)[..., None]
    parts, angle = image @ YIQ.T, 2 * np.pi * hue
    i, q = parts[..., 1], parts[..., 2]
    turned = [parts[..., 0], np.cos(angle) * i + np.sin(angle) * q]
    turned += [np.cos(angle) * q - np.sin(angle) * i]
    image = np.stack(turned, axis=-1) @ np.linalg.inv(YIQ).T
    return np.clip(contrast * image + (1 - contrast) * (image @ GRAY).mean(), 0, 1)


def factors(view, batch):
    """What the view draws for each image: four factors, whether gray, whether changed."""
    draws = np.asarray(view.draws(np.zeros((batch, 1, 1, 3)), SEED, 6))
    limits = np.array([view.brightness, view.contrast, view.saturation, view.hue])
    amounts = np.array([1, 1, 1, 0]) - limits + 2 * limits * draws[:, :4]
    return amounts, draws[:, 4] < view.grayscale, draws[:, 5] < view.probability


def test_each_image_gets_the_formula_with_factors_of_its_own():
    images, view = images_of(60), FastColorJitter(0.8, 0.8, 0.8, 0.2, 0.7, grayscale=0.3)
    amounts, is_gray, is_changed = factors(view, 60)
    assert 0 < is_gray.sum() < 60
    assert 0 < is_changed.sum() < 60
    for index, result in enumerate(np.asarray(view(images, SEED))):
        expected = images[index].astype("float64")
        if is_changed[index]:
            expected = changed(images[index], *amounts[index])
        if not is_gray[index]:
            np.testing.assert_allclose(result, expected, atol=2e-6)
            continue
        np.testing.assert_allclose(result, result[..., :1].repeat(3, -1), atol=1e-7)
        if not is_changed[index]:
            np.testing.assert_allclose(result[..., 0], expected @ GRAY, atol=2e-6)


def test_the_hue_turns_the_way_of_hsv_and_keeps_luminance():
    red = np.full((1, 2, 2, 3), [0.6, 0.3, 0.3], "float32")
    turned = np.asarray(FastColorJitter(hue=(1 / 3, 1 / 3))(red, SEED))
    assert turned[0, 0, 0].argmax() == 1  # green, as in HSV
    np.testing.assert_allclose(turned @ GRAY, red @ GRAY, atol=1e-6)
    np.testing.assert_allclose(
        FastColorJitter(hue=(0.5, 0.5))(turned * 0 + 0.4, SEED), 0.4, atol=1e-6
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels):
    images = images_of(30, channels=channels)
    view = FastColorJitter(0.8, 0.8, 0.8, 0.2, grayscale=0.5)
    results = np.asarray(view(images, SEED))
    if channels == 4:
        np.testing.assert_array_equal(results[..., 3], images[..., 3])
        np.testing.assert_allclose(results[..., :3], view(images[..., :3], SEED), atol=1e-6)
    else:
        brighter = np.asarray(FastColorJitter((1.2, 1.2), (0.0, 0.0))(images, SEED))
        means = 1.2 * images.mean(axis=(1, 2, 3))
        np.testing.assert_allclose(brighter[:, 0, 0, 0], means, atol=1e-6)


def test_batches_of_unknown_size_change_likewise():
    import tensorflow as tf

    images, view = images_of(12), FastColorJitter(0.8, 0.8, 0.8, 0.2, grayscale=0.3)
    kind = tf.TensorSpec((None, None, None, 3), tf.float32)
    found = tf.function(lambda x: view(x, SEED), input_signature=[kind])(images)
    np.testing.assert_allclose(found, view(images, SEED), atol=1e-6)


def test_it_stays_near_color_jitter_on_photographs():
    """Within 12 of 255 levels on average with strong colors, a third of what these change."""
    photographs = np.stack([image[:400:4, :600:4] for image in load_sample_images().images])
    draw, apart, change = np.random.default_rng(0), [], []
    for _ in range(20):
        same = [(x, x) for x in [*draw.uniform(0.2, 1.8, 3).tolist(), draw.uniform(-0.2, 0.2)]]
        slow, quick = (kind(*same)(photographs, SEED) for kind in (ColorJitter, FastColorJitter))
        apart.append(255 * np.abs(slow - quick).mean())
        change.append(np.abs(255 * slow - photographs).mean())
    assert np.mean(apart) < 12
    assert np.mean(change) > 3 * np.mean(apart)


def test_fast_exchanges_the_colors_of_every_view():
    first, second = views.byol(64)
    quick = fast_colors((first, second))
    for slow, new in zip((first, second), quick, strict=True):
        kinds = [type(part).__name__ for part in new.views]
        assert kinds[:3] == ["RandomResizedCrop", "RandomFlip", "FastColorJitter"]
        assert "RandomGrayscale" not in kinds
        own, (jitter, gray) = new.views[2], slow.views[2:4]
        assert dataclasses.astuple(own) == (*dataclasses.astuple(jitter), gray.probability)
        assert new.views[3:] == slow.views[4:]
    assert fast_colors(first) == quick[0]
    assert fast_colors(ColorJitter(0.4)) == FastColorJitter(0.4)
    small = views.RandomResizedCrop(4)
    assert fast_colors(views.multi_crop(ColorJitter(0.4), small, 2))[2:] == (small, small)


def test_fast_says_what_it_cannot_do():
    with pytest.raises(ValueError, match="`views` has no ColorJitter"):
        fast_colors((views.RandomFlip(),))
    for given in (3, (), [views.RandomFlip(), "simclr"]):
        with pytest.raises(TypeError, match="`views` must be a view or a sequence of views"):
            fast_colors(given)
    with pytest.raises(ValueError, match="`grayscale` must be in"):
        FastColorJitter(grayscale=1.5)


def test_it_is_saved_with_a_model(tmp_path):
    from keras_ssl import SimCLR, encoders

    model = SimCLR(encoders.small_resnet((8, 8, 3)), views=fast_colors(views.simclr(8)))
    model.compile("sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.views == model.views

"""The contract of `View`, tested for each view."""

import dataclasses
import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import run_python

from keras_ssl import views

SEED, OTHER_SEED = (3, 4), (3, 5)


@keras.saving.register_keras_serializable("test_views")
@dataclasses.dataclass(frozen=True)
class Darken(views.View):
    """The custom view in the docstring of `View`."""

    strength: float = 0.5

    def transform(self, images, seed):
        amounts = self.uniform(images, seed, 1)
        return images * (1 - self.strength * amounts[:, :, None, None])


# Views that change every image by a continuous amount.
CONTINUOUS = {
    "crop": views.RandomResizedCrop(8),
    "oblong crop": views.RandomResizedCrop((6, 9)),
    "jitter": views.ColorJitter(0.8, 0.8, 0.8, 0.2),
    "fast jitter": views.FastColorJitter(0.8, 0.8, 0.8, 0.2, grayscale=0.2),
    "blur": views.GaussianBlur(sigma=(0.5, 2.0), probability=1.0),
    "custom": Darken(),
    "compose": views.Compose([views.RandomFlip(), Darken()]),
    "simclr": views.simclr(8)[0],
    "large simclr": views.simclr((64, 70))[0],
    "layer": views.KerasLayer(keras.layers.RandomRotation(0.2)),
}
# Views that change an image in one way or not at all.
BINARY = {
    "flip": views.RandomFlip(),
    "grayscale": views.RandomGrayscale(0.5),
    "solarize": views.Solarize(0.5, probability=0.5),
}
# Views that change an image in one of several ways.
DISCRETE = {
    "shift": views.RandomShift(4),
    "cutout": views.Cutout(4),
    "rand augment": views.RandAugment(2, probability=1.0),
    "fixmatch": views.fixmatch_strong((10, 12)),
}
VIEWS = CONTINUOUS | BINARY | DISCRETE
SIZES = {
    "crop": (8, 8),
    "oblong crop": (6, 9),
    "simclr": (8, 8),
    "large simclr": (64, 70),
}


def images_of(channels, batch=12, size=(10, 12)):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (batch, *size, channels), "uint8")


def apply(view, images, seed=SEED):
    return np.asarray(view(images, seed))


IMAGES = images_of(3)


@pytest.fixture(params=VIEWS, scope="module")
def name(request):
    return request.param


@pytest.fixture
def view(name):
    return VIEWS[name]


@pytest.fixture(scope="module")
def pixels(name):
    """The view of `IMAGES` with `SEED`."""
    return apply(VIEWS[name], IMAGES)


def test_a_view_is_a_function_of_its_seed(view, pixels):
    np.testing.assert_array_equal(apply(view, IMAGES), pixels)


def test_another_seed_gives_other_pixels(view, pixels):
    assert np.any(apply(view, IMAGES, OTHER_SEED) != pixels)


def test_equal_images_of_a_batch_get_different_views(name, view):
    images = np.repeat(images_of(3, batch=1), 12, axis=0)
    distinct = {result.tobytes() for result in apply(view, images)}
    if name in DISCRETE:
        assert len(distinct) >= 6
    else:
        assert len(distinct) == (12 if name in CONTINUOUS else 2)


def test_a_view_of_an_image_does_not_depend_on_the_other_images(view, pixels):
    # The random numbers depend on the position in the batch only.
    images = np.concatenate([IMAGES[:4], 255 - IMAGES[4:]])
    np.testing.assert_allclose(apply(view, images)[:4], pixels[:4], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_views_return_float32_in_0_to_1_for_gray_rgb_and_rgba(name, view, pixels, channels):
    results = pixels if channels == 3 else apply(view, images_of(channels))
    assert results.dtype == np.float32
    assert results.shape == (12, *SIZES.get(name, (10, 12)), channels)
    assert results.min() >= 0
    assert results.max() <= 1


def test_views_of_uint8_are_equal_to_views_of_floats(view, pixels):
    floats = IMAGES.astype("float32") / np.float32(255)
    np.testing.assert_array_equal(apply(view, floats), pixels)
    np.testing.assert_allclose(apply(view, floats.astype("float64")), pixels, atol=1e-6)


def test_views_neither_read_nor_change_the_global_random_states(view, pixels):
    def next_numbers():
        return random.random(), np.random.rand(), float(tf.random.uniform(()))

    keras.utils.set_random_seed(2)
    expected = next_numbers()
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(apply(view, IMAGES), pixels)
    assert next_numbers() == expected


@pytest.mark.slow
def test_views_work_in_tf_data_with_an_unknown_batch_size(name, view):
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES).batch(8)
    dataset = dataset.map(lambda batch: view(batch, SEED), num_parallel_calls=2)
    assert dataset.element_spec.shape == (None, *SIZES.get(name, (10, 12)), 3)
    full_batch, last_batch = dataset
    np.testing.assert_allclose(full_batch, apply(view, IMAGES[:8]), atol=1e-5)
    np.testing.assert_allclose(last_batch, apply(view, IMAGES[8:]), atol=1e-5)


def test_the_seed_may_be_a_tensor_an_array_or_a_pair(view, pixels):
    for seed in (tf.constant(SEED, tf.int64), np.array(SEED), list(SEED)):
        np.testing.assert_array_equal(apply(view, IMAGES, seed), pixels)


def test_an_image_may_be_a_single_pixel(view):
    results = apply(view, images_of(3, size=(1, 1)))
    assert np.isfinite(results).all()
    assert results.min() >= 0
    assert results.max() <= 1


def test_a_loaded_view_is_equal(view, pixels):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(view)))
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is type(view)
    assert loaded == view
    assert hash(loaded) == hash(view)
    np.testing.assert_array_equal(apply(loaded, IMAGES), pixels)


def test_views_with_different_arguments_are_not_equal():
    assert views.RandomFlip(0.5) != views.RandomFlip(0.4)
    assert views.RandomResizedCrop(8) == views.RandomResizedCrop((8, 8))
    assert len({*VIEWS.values()}) == len(VIEWS)


def test_a_view_is_immutable(view):
    field = dataclasses.fields(view)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(view, field, 1)


def test_different_views_draw_different_numbers_from_one_seed():
    first, second = (v.uniform(IMAGES, SEED, 1).numpy() for v in (Darken(), views.RandomFlip()))
    assert np.all(first != second)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((2, 8, 8, 3), "int32"), TypeError, "`images` must be uint8.*float.*int32"),
        (np.zeros((8, 8, 3), "uint8"), ValueError, r"`images` must be a batch.*\(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 2), "uint8"), ValueError, r"1, 3 or 4 channels.*\(2, 8, 8, 2\)"),
    ],
)
def test_views_reject_bad_images(images, error, message):
    with pytest.raises(error, match=message):
        views.RandomFlip()(images, SEED)


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        ((0.5, 1.0), TypeError, "`seed` must be two integers.*float"),
        ("ab", TypeError, "`seed` must be two integers"),
        (None, TypeError, "`seed` must be two integers.*None"),
        (3, ValueError, r"`seed` must be two integers.*\(\)"),
        ((1, 2, 3), ValueError, r"`seed` must be two integers.*\(3,\)"),
    ],
)
def test_views_reject_bad_seeds(seed, error, message):
    with pytest.raises(error, match=message):
        views.RandomFlip()(IMAGES, seed)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: views.RandomFlip(1.5), ValueError, "`probability` must be in 0..1.*1.5"),
        (lambda: views.RandomFlip("often"), TypeError, "`probability` must be a number.*often"),
        (lambda: views.RandomFlip(True), TypeError, "`probability` must be a number.*True"),
        (lambda: views.RandomGrayscale(-0.1), ValueError, "`probability` must be in 0..1.*-0.1"),
        (lambda: views.Solarize(2), ValueError, "`threshold` must be in 0..1.*2"),
        (lambda: views.RandomResizedCrop(0), ValueError, "`size` must be an int above 0.*0"),
        (lambda: views.RandomResizedCrop((8, 8, 3)), ValueError, "`size` must be.*8, 8, 3"),
        (lambda: views.RandomResizedCrop(8, 0.5), TypeError, "`scale` must be a pair.*0.5"),
        (lambda: views.RandomResizedCrop(8, (0.0, 1)), ValueError, "`scale`.*above 0 to 1.*0.0"),
        (lambda: views.RandomResizedCrop(8, (0.5, 2)), ValueError, "`scale`.*to 1.*2"),
        (lambda: views.RandomResizedCrop(8, ratio=(2, 1)), ValueError, "`ratio`.*order.*2, 1"),
        (lambda: views.ColorJitter(brightness=-1), ValueError, "`brightness`.*at least 0.*-1"),
        (lambda: views.ColorJitter(contrast="a"), TypeError, "`contrast` must be a number.*a"),
        (lambda: views.ColorJitter(saturation=(2, 1)), ValueError, "`saturation`.*order.*2, 1"),
        (lambda: views.ColorJitter(hue=0.6), ValueError, "`hue` must be in 0..0.5.*0.6"),
        (lambda: views.ColorJitter(hue=(-0.6, 0)), ValueError, "`hue`.*from -0.5 to 0.5.*-0.6"),
        (lambda: views.GaussianBlur((0, 1)), ValueError, "`sigma`.*above 0.*0, 1"),
        (lambda: views.GaussianBlur(1.0), TypeError, "`sigma` must be a pair.*1.0"),
        (lambda: views.GaussianBlur(kernel_size=4), ValueError, "`kernel_size`.*odd.*4"),
        (lambda: views.Compose(views.RandomFlip()), TypeError, "`views` must be a tuple.*Flip"),
        (lambda: views.Compose([abs]), TypeError, "`views` must be a tuple of views.*abs"),
        (lambda: views.KerasLayer("RandomFlip"), TypeError, "`layer` must be a layer.*RandomFlip"),
        (lambda: views.simclr(8, strength=3), ValueError, "`strength` must be in 0..2.5.*3"),
        (lambda: views.simclr(8, flip=1), TypeError, "`flip` must be a bool.*1"),
        (lambda: views.simclr(8.5), ValueError, "`size` must be an int.*8.5"),
    ],
)
def test_views_reject_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


WITHOUT_KERAS_CV = """
import sys
sys.modules["keras_cv"] = None
import keras
import numpy as np
import pytest
from keras_ssl import views

images = np.zeros((2, 8, 8, 3), "uint8")
for name in views.__all__:
    getattr(views, name)
layer = views.KerasLayer(keras.layers.RandomFlip())
for view in (*views.byol(8), views.fixmatch_weak(8), views.fixmatch_strong(8), layer):
    assert view(images, (3, 4)).shape == images.shape
with pytest.raises(ImportError, match=r"needs KerasCV.*pip install keras-cv"):
    views.fixmatch_strong(8, policy="keras_cv")
"""


@pytest.mark.slow
def test_views_work_without_keras_cv():
    run_python(WITHOUT_KERAS_CV)


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "layer"])
def test_views_do_not_depend_on_floatx(name):
    expected = apply(VIEWS[name], IMAGES)
    keras.config.set_floatx("float64")
    found = apply(VIEWS[name], IMAGES)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=1e-6)

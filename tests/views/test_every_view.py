"""What every view promises, asked of each in the same words."""

import dataclasses
import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import views

SEED, OTHER_SEED = (3, 4), (3, 5)


@keras.saving.register_keras_serializable("test_views")
@dataclasses.dataclass(frozen=True)
class Darken(views.View):
    """A view of one's own, as the docstring of View shows it."""

    strength: float = 0.5

    def transform(self, images, seed):
        draws = self.draws(images, seed, 1)
        return images * (1 - self.strength * draws[:, :, None, None])


# Views that change every image by an amount of its own.
CONTINUOUS = {
    "crop": views.RandomResizedCrop(8),
    "oblong crop": views.RandomResizedCrop((6, 9)),
    "jitter": views.ColorJitter(0.8, 0.8, 0.8, 0.2),
    "fast jitter": views.FastColorJitter(0.8, 0.8, 0.8, 0.2, grayscale=0.2),
    "blur": views.GaussianBlur(sigma=(0.5, 2.0), probability=1.0),
    "own": Darken(),
    "compose": views.Compose([views.RandomFlip(), Darken()]),
    "simclr": views.simclr(8)[0],
    "large simclr": views.simclr((64, 70))[0],
    "layer": views.KerasLayer(keras.layers.RandomRotation(0.2)),
}
# Views that leave an image or change it in one way.
BINARY = {
    "flip": views.RandomFlip(),
    "grayscale": views.RandomGrayscale(0.5),
    "solarize": views.Solarize(0.5, probability=0.5),
}
# Views that change an image in one of several ways.
SEVERAL = {
    "shift": views.RandomShift(4),
    "cutout": views.Cutout(4),
    "rand augment": views.RandAugment(2, probability=1.0),
    "fixmatch": views.fixmatch_strong((10, 12)),
}
VIEWS = CONTINUOUS | BINARY | SEVERAL
SIZES = {
    "crop": (8, 8),
    "oblong crop": (6, 9),
    "simclr": (8, 8),
    "large simclr": (64, 70),
}


@pytest.fixture(params=VIEWS)
def name(request):
    return request.param


@pytest.fixture
def view(name):
    return VIEWS[name]


def images_of(channels, batch=12, size=(10, 12)):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (batch, *size, channels), "uint8")


def drawn(view, images, seed=SEED):
    return np.asarray(view(images, seed))


def test_one_seed_gives_the_same_pixels(view):
    images = images_of(3)
    np.testing.assert_array_equal(drawn(view, images), drawn(view, images))


def test_another_seed_gives_other_pixels(view):
    images = images_of(3)
    assert np.any(drawn(view, images) != drawn(view, images, OTHER_SEED))


def test_equal_images_of_a_batch_get_draws_of_their_own(name, view):
    images = np.repeat(images_of(3, batch=1), 12, axis=0)
    distinct = {result.tobytes() for result in drawn(view, images)}
    if name in SEVERAL:
        assert len(distinct) >= 6
    else:
        assert len(distinct) == (12 if name in CONTINUOUS else 2)


def test_the_other_images_of_a_batch_do_not_matter(view):
    # The draw goes by the position in the batch, and by nothing else.
    images = images_of(3)
    others = np.concatenate([images[:4], 255 - images[4:]])
    np.testing.assert_allclose(drawn(view, images)[:4], drawn(view, others)[:4], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_are_float32_from_0_to_1_in_gray_rgb_and_rgba(name, view, channels):
    results = drawn(view, images_of(channels))
    assert results.dtype == np.float32
    assert results.shape == (12, *SIZES.get(name, (10, 12)), channels)
    assert results.min() >= 0
    assert results.max() <= 1


def test_uint8_equals_floats_from_0_to_1(view):
    images = images_of(3)
    floats = images.astype("float32") / np.float32(255)
    np.testing.assert_array_equal(drawn(view, images), drawn(view, floats))
    np.testing.assert_allclose(
        drawn(view, images), drawn(view, floats.astype("float64")), atol=1e-6
    )


def test_global_random_states_do_not_matter(view):
    images = images_of(3)
    keras.utils.set_random_seed(1)
    expected = drawn(view, images)
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(drawn(view, images), expected)


def test_global_random_states_stay_as_they_are(view):
    def numbers():
        return random.random(), np.random.rand(), float(tf.random.uniform(()))

    keras.utils.set_random_seed(1)
    expected = numbers()
    keras.utils.set_random_seed(1)
    drawn(view, images_of(3))
    assert numbers() == expected


def test_works_in_tf_data_where_the_batch_size_is_not_known(name, view):
    images = images_of(3)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8)
    dataset = dataset.map(lambda batch: view(batch, SEED), num_parallel_calls=2)
    assert dataset.element_spec.shape == (None, *SIZES.get(name, (10, 12)), 3)
    first, rest = dataset
    np.testing.assert_allclose(first, drawn(view, images[:8]), atol=1e-5)
    np.testing.assert_allclose(rest, drawn(view, images[8:]), atol=1e-5)


def test_takes_its_seed_as_a_tensor_an_array_or_a_pair(view):
    images = images_of(3, batch=2)
    expected = drawn(view, images)
    for seed in (tf.constant(SEED, tf.int64), np.array(SEED), list(SEED)):
        np.testing.assert_array_equal(drawn(view, images, seed), expected)


def test_a_single_pixel_is_an_image(view):
    results = drawn(view, images_of(3, size=(1, 1)))
    assert np.isfinite(results).all()
    assert results.min() >= 0
    assert results.max() <= 1


def test_a_saved_view_comes_back_equal(view):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(view)))
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is type(view)
    assert loaded == view
    assert hash(loaded) == hash(view)
    np.testing.assert_array_equal(drawn(loaded, images_of(3)), drawn(view, images_of(3)))


def test_views_of_other_arguments_are_not_equal():
    assert views.RandomFlip(0.5) != views.RandomFlip(0.4)
    assert views.RandomResizedCrop(8) == views.RandomResizedCrop((8, 8))
    assert len({*VIEWS.values()}) == len(VIEWS)


def test_a_view_cannot_be_changed(view):
    field = dataclasses.fields(view)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(view, field, 1)


def test_kinds_of_views_do_not_share_their_draws():
    images = images_of(3)
    drawn = [v.draws(images, SEED, 1).numpy() for v in (Darken(), views.RandomFlip())]
    assert np.all(drawn[0] != drawn[1])


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((2, 8, 8, 3), "int32"), TypeError, "`images` must be uint8.*float.*int32"),
        (np.zeros((8, 8, 3), "uint8"), ValueError, r"`images` must be a batch.*\(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 2), "uint8"), ValueError, r"1, 3 or 4 channels.*\(2, 8, 8, 2\)"),
    ],
)
def test_says_what_is_wrong_with_images(images, error, message):
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
def test_says_what_is_wrong_with_a_seed(seed, error, message):
    with pytest.raises(error, match=message):
        views.RandomFlip()(images_of(3), seed)


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
def test_says_which_argument_is_wrong(make, error, message):
    with pytest.raises(error, match=message):
        make()

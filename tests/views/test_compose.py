import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import data, views
from keras_ssl.views import ColorJitter, Compose, RandomFlip, RandomResizedCrop
from keras_ssl.views.base import fold_in

IMAGES = np.random.default_rng(0).random((8, 9, 9, 3), "float32")


@pytest.mark.parametrize("size", [9, 50])  # of which large images are cut one by one
def test_applies_views_in_their_order_each_with_a_seed_of_its_own(size):
    images = np.random.default_rng(0).random((8, size, size + 3, 3), "float32")
    parts = [ColorJitter(0.2), RandomResizedCrop((5, 60)), RandomFlip(), ColorJitter(0.4)]
    expected = images
    for index, part in enumerate(parts):
        expected = part(expected, fold_in((1, 2), index))
    np.testing.assert_allclose(Compose(parts)(images, (1, 2)), expected, atol=1e-5)


def test_a_view_that_stands_twice_draws_twice():
    # Flips that shared their draws would undo each other.
    results = np.asarray(Compose([RandomFlip(), RandomFlip()])(IMAGES, (1, 2)))
    changed = (results != IMAGES).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < 8


def test_without_views_nothing_changes():
    np.testing.assert_array_equal(Compose([])(IMAGES, (1, 2)), IMAGES)


def test_may_stand_inside_another():
    inner = Compose([RandomFlip(1.0)])
    np.testing.assert_array_equal(Compose((inner,))(IMAGES, (1, 2)), IMAGES[:, :, ::-1])


def test_large_images_pass_all_views_one_by_one_with_the_same_pixels():
    images = np.random.default_rng(0).integers(0, 256, (6, 120, 100, 3), "uint8")
    parts = views.byol(100)[1].views
    assert {type(part).__name__ for part in parts} > {"RandomGrayscale", "GaussianBlur", "Solarize"}
    expected = images
    for index, part in enumerate(parts):
        expected = part(expected, fold_in((1, 2), index))
    result = Compose(parts)(images, (1, 2))
    np.testing.assert_allclose(result, expected, atol=3e-5)  # hue magnifies roundings


def test_a_subclass_keeps_its_own_way_between_others():
    class Upside(RandomFlip):
        def transform(self, images, seed):
            return images[:, ::-1]

    images = np.random.default_rng(0).random((2, 100, 100, 3), "float32")
    result = Compose([RandomFlip(1.0), Upside(), RandomFlip(1.0)])(images, (1, 2))
    np.testing.assert_array_equal(result, images[:, ::-1])


def test_views_of_ones_own_may_ask_a_tensor_in_a_pipeline():
    class Bright(views.View):
        def transform(self, images, seed):
            if tf.reduce_mean(images) > 0.5:
                return 1.0 - images
            return images

    class Turned(RandomFlip):
        def transform(self, images, seed):
            if tf.reduce_mean(images) > 0.5:
                images = 1.0 - images
            return super().transform(images, seed)

    light = tf.data.Dataset.from_tensors(tf.constant(IMAGES[:2] / 2 + 0.5))
    for view in (Bright(), Compose([RandomFlip(0.0), Bright()]), Turned(0.0)):
        made = next(iter(data.make_views(light.unbatch(), (view,), 2, shuffle=False)))[0][0]
        np.testing.assert_allclose(made, 0.5 - IMAGES[:2] / 2, atol=1e-6)

import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import data, views
from keras_ssl.views import ColorJitter, Compose, RandomFlip, RandomResizedCrop
from keras_ssl.views.base import fold_in

IMAGES = np.random.default_rng(0).random((8, 9, 9, 3), "float32")


@pytest.mark.parametrize("size", [9, 50])  # large images are cropped one at a time
def test_compose_applies_views_in_order_with_different_seeds(size):
    images = np.random.default_rng(0).random((8, size, size + 3, 3), "float32")
    steps = [ColorJitter(0.2), RandomResizedCrop((5, 60)), RandomFlip(), ColorJitter(0.4)]
    expected = images
    for index, step in enumerate(steps):
        expected = step(expected, fold_in((1, 2), index))
    np.testing.assert_allclose(Compose(steps)(images, (1, 2)), expected, atol=1e-5)


def test_compose_draws_different_numbers_for_equal_views():
    # Flips of the same images would cancel out.
    results = np.asarray(Compose([RandomFlip(), RandomFlip()])(IMAGES, (1, 2)))
    changed = (results != IMAGES).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < 8


def test_compose_of_no_views_changes_nothing():
    np.testing.assert_array_equal(Compose([])(IMAGES, (1, 2)), IMAGES)


def test_compose_can_be_nested():
    inner = Compose([RandomFlip(1.0)])
    np.testing.assert_array_equal(Compose((inner,))(IMAGES, (1, 2)), IMAGES[:, :, ::-1])


def test_large_images_get_the_same_pixels_in_one_loop_over_all_views():
    images = np.random.default_rng(0).integers(0, 256, (6, 120, 100, 3), "uint8")
    steps = views.byol(100)[1].views
    assert {type(step).__name__ for step in steps} > {"RandomGrayscale", "GaussianBlur", "Solarize"}
    expected = images
    for index, step in enumerate(steps):
        expected = step(expected, fold_in((1, 2), index))
    result = Compose(steps)(images, (1, 2))
    np.testing.assert_allclose(result, expected, atol=3e-5)  # hue amplifies rounding


def test_a_subclass_keeps_its_own_transform_inside_compose():
    class VerticalFlip(RandomFlip):
        def transform(self, images, seed):
            return images[:, ::-1]

    images = np.random.default_rng(0).random((2, 100, 100, 3), "float32")
    result = Compose([RandomFlip(1.0), VerticalFlip(), RandomFlip(1.0)])(images, (1, 2))
    np.testing.assert_array_equal(result, images[:, ::-1])


def test_a_subclass_of_a_subclass_keeps_the_transform_of_its_parent():
    class Identity(RandomFlip):
        def transform(self, images, seed):
            return images

    class NamedIdentity(Identity):
        pass

    images = np.random.default_rng(0).random((2, 100, 100, 3), "float32")
    np.testing.assert_array_equal(NamedIdentity(1.0)(images, (1, 2)), images)


def test_a_subclass_without_a_transform_keeps_the_one_of_its_parent():
    class AlwaysFlip(RandomFlip):
        probability = 1.0

        def draw_selected(self, images, seed):
            return tf.ones(tf.shape(images)[:1], tf.bool)

    images = np.random.default_rng(0).random((2, 100, 100, 3), "float32")
    for small_or_large in (IMAGES[:2], images):
        result = AlwaysFlip()(small_or_large, (1, 2))
        np.testing.assert_array_equal(result, small_or_large[:, :, ::-1])


def test_a_custom_view_may_branch_on_a_tensor_in_a_pipeline():
    class InvertBright(views.View):
        def transform(self, images, seed):
            if tf.reduce_mean(images) > 0.5:
                return 1.0 - images
            return images

    class InvertAndFlip(RandomFlip):
        def transform(self, images, seed):
            if tf.reduce_mean(images) > 0.5:
                images = 1.0 - images
            return super().transform(images, seed)

    dataset = tf.data.Dataset.from_tensors(tf.constant(IMAGES[:2] / 2 + 0.5))
    for view in (InvertBright(), Compose([RandomFlip(0.0), InvertBright()]), InvertAndFlip(0.0)):
        batches = data.make_views(dataset.unbatch(), (view,), 2, shuffle=False)
        ((result,),) = next(iter(batches))
        np.testing.assert_allclose(result, 0.5 - IMAGES[:2] / 2, atol=1e-6)

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import views

IMAGES = np.zeros((400, 8, 8, 3), "uint8")


def drawn(view, seed=(3, 4), images=IMAGES):
    return view(images, seed).numpy()


def test_every_image_has_as_many_masked_patches_each_its_own():
    mask = drawn(views.RandomMask((4, 6), ratio=0.75))
    assert mask.shape == (400, 24)
    assert mask.dtype == bool
    assert np.all(mask.sum(axis=1) == 18)
    assert len(np.unique(mask, axis=0)) > 350
    np.testing.assert_allclose(mask.mean(axis=0), 0.75, atol=0.1)


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (1.0, 24), (0.3, 7)])
def test_the_ratio_is_rounded_down(ratio, count):
    assert np.all(drawn(views.RandomMask((4, 6), ratio)).sum(axis=1) == count)


def test_blocks_mask_half_of_the_images_by_shares_between_the_two():
    mask = drawn(views.BlockMask(8))
    share = mask.mean(axis=1)
    masked = share > 0
    assert 0.4 < masked.mean() < 0.6
    assert share[masked].min() == pytest.approx(0.1, abs=0.02)
    assert share[masked].max() == pytest.approx(0.5, abs=0.02)
    assert share[masked].mean() == pytest.approx(0.3, abs=0.03)
    often = mask[masked].mean(axis=0)  # corners least, as rectangles lie within the image
    assert 0.03 < often.min() < 0.3 < often.max() < 0.6


def neighbors(mask, side=8):
    """Share of masked patches' right neighbors that are masked too."""
    grid = mask.reshape(-1, side, side)
    return grid[:, :, 1:][grid[:, :, :-1]].mean()


def test_blocks_hang_together():
    blocks = drawn(views.BlockMask(8, ratio=(0.3, 0.3), probability=1.0))
    single = drawn(views.RandomMask(8, ratio=0.3))
    assert np.all(blocks.sum(axis=1) == round(0.3 * 64))
    assert neighbors(blocks) > 0.55 > 0.4 > neighbors(single)


@pytest.mark.parametrize("view", [views.RandomMask(4), views.BlockMask(4)])
def test_a_mask_is_a_function_of_its_seed_and_saved(view):
    np.testing.assert_array_equal(drawn(view), drawn(view))
    assert np.any(drawn(view) != drawn(view, (3, 5)))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(view))
    assert again == view
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES).batch(7).map(lambda x: view(x, (3, 4)))
    assert dataset.element_spec.shape == (None, 16)
    np.testing.assert_array_equal(next(iter(dataset)), drawn(view, images=IMAGES[:7]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: views.RandomMask(0), "`grid` must be an int above 0"),
        (lambda: views.RandomMask(4, 1.5), r"`ratio` must be in 0..1, received 1.5"),
        (lambda: views.RandomMask(4, None), "`ratio` must be a number"),
        (lambda: views.BlockMask((4, 0)), "`grid` must be an int above 0"),
        (lambda: views.BlockMask(4, (0.5, 0.1)), "`ratio` must be a pair"),
        (lambda: views.BlockMask(4, probability=2), "`probability` must be in"),
    ],
)
def test_names_a_bad_argument(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()

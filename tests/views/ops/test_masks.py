import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import views

IMAGES = np.zeros((400, 8, 8, 3), "uint8")


def draw_mask(view, seed=(3, 4), images=IMAGES):
    return view(images, seed).numpy()


def test_random_masks_differ_and_have_the_same_number_of_patches():
    mask = draw_mask(views.RandomMask((4, 6), ratio=0.75))
    assert mask.shape == (400, 24)
    assert mask.dtype == bool
    assert np.all(mask.sum(axis=1) == 18)
    assert len(np.unique(mask, axis=0)) > 350
    np.testing.assert_allclose(mask.mean(axis=0), 0.75, atol=0.1)


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (1.0, 24), (0.3, 7)])
def test_the_mask_ratio_is_rounded_down(ratio, count):
    assert np.all(draw_mask(views.RandomMask((4, 6), ratio)).sum(axis=1) == count)


def test_block_masks_cover_half_of_the_images_with_ratios_in_the_range():
    mask = draw_mask(views.BlockMask(8))
    ratios = mask.mean(axis=1)
    masked = ratios > 0
    assert 0.4 < masked.mean() < 0.6
    assert ratios[masked].min() == pytest.approx(0.1, abs=0.02)
    assert ratios[masked].max() == pytest.approx(0.5, abs=0.02)
    assert ratios[masked].mean() == pytest.approx(0.3, abs=0.03)
    frequency = mask[masked].mean(axis=0)  # lowest at corners: rectangles lie inside the image
    assert 0.03 < frequency.min() < 0.3 < frequency.max() < 0.6


def masked_neighbor_fraction(mask, side=8):
    """Returns how often the right neighbor of a masked patch is masked too."""
    grid = mask.reshape(-1, side, side)
    return grid[:, :, 1:][grid[:, :, :-1]].mean()


def test_block_masks_are_contiguous():
    blocks = draw_mask(views.BlockMask(8, ratio=(0.3, 0.3), probability=1.0))
    single = draw_mask(views.RandomMask(8, ratio=0.3))
    assert np.all(blocks.sum(axis=1) == round(0.3 * 64))
    assert masked_neighbor_fraction(blocks) > 0.55 > 0.4 > masked_neighbor_fraction(single)


@pytest.mark.parametrize("view", [views.RandomMask(4), views.BlockMask(4)])
def test_masks_are_functions_of_the_seed_and_survive_saving(view):
    np.testing.assert_array_equal(draw_mask(view), draw_mask(view))
    assert np.any(draw_mask(view) != draw_mask(view, (3, 5)))
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(view))
    assert loaded == view
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES).batch(7).map(lambda x: view(x, (3, 4)))
    assert dataset.element_spec.shape == (None, 16)
    np.testing.assert_array_equal(next(iter(dataset)), draw_mask(view, images=IMAGES[:7]))


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
def test_masks_reject_bad_arguments(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()

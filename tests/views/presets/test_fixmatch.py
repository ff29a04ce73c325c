import numpy as np
import pytest

from keras_ssl import views

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), "uint8")


def covered_fraction(images):
    return np.isclose(np.asarray(images), 0.5).all(axis=-1).mean(axis=(1, 2))


def test_the_weak_view_is_a_flip_and_a_shift_by_an_eighth():
    assert views.fixmatch_weak(32) == views.Compose([views.RandomFlip(), views.RandomShift(4)])
    assert views.fixmatch_weak((8, 16), flip=False) == views.Compose([views.RandomShift(1)])


def test_the_strong_view_is_the_weak_one_with_rand_augment_and_cutout_of_half_a_side():
    expected = [views.fixmatch_weak(32, flip=False), views.RandAugment(2, 10), views.Cutout(16)]
    assert views.fixmatch_strong(32, flip=False) == views.Compose(expected)


@pytest.mark.slow
def test_the_keras_cv_policy_draws_for_each_image_from_the_seed():
    pytest.importorskip("keras_cv")
    strong = views.fixmatch_strong(32, policy="keras_cv")
    images = np.repeat(IMAGES[:1], 6, axis=0)
    first, second = strong(images, (0, 1)).numpy(), strong(images, (0, 1)).numpy()
    np.testing.assert_array_equal(first, second)
    assert len({image.tobytes() for image in first}) == 6
    assert np.all(covered_fraction(first) > 0.1)


def test_fixmatch_views_reject_an_unknown_policy_and_flip():
    with pytest.raises(ValueError, match=r"`policy` must be one of .*'keras_cv'.* received 'pil'"):
        views.fixmatch_strong(32, policy="pil")
    with pytest.raises(TypeError, match="`flip` must be a bool, received 1"):
        views.fixmatch_weak(32, flip=1)

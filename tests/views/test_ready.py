import numpy as np
import pytest

from keras_ssl import views


def test_simclr_of_imagenet_is_that_of_the_paper():
    # Chen et al. 2020, appendix A: the listing with s = 1.
    expected = views.Compose(
        [
            views.RandomResizedCrop(224, (0.08, 1.0), (3 / 4, 4 / 3)),
            views.RandomFlip(0.5),
            views.ColorJitter(0.8, 0.8, 0.8, 0.2, probability=0.8),
            views.RandomGrayscale(0.2),
            views.GaussianBlur((0.1, 2.0), None, 0.5),
        ]
    )
    assert views.simclr(224) == (expected, expected)


def test_simclr_of_cifar_has_half_the_strength_and_no_blur():
    # Appendix B.9.
    expected = views.Compose(
        [
            views.RandomResizedCrop(32, (0.08, 1.0), (3 / 4, 4 / 3)),
            views.RandomFlip(0.5),
            views.ColorJitter(0.4, 0.4, 0.4, 0.1, probability=0.8),
            views.RandomGrayscale(0.2),
        ]
    )
    assert views.simclr(32) == (expected, expected)


def test_the_shorter_side_says_whether_images_are_large():
    kinds = {size: len(views.simclr(size)[0].views) for size in (63, 64, (64, 63), (64, 200))}
    assert kinds == {63: 4, 64: 5, (64, 63): 4, (64, 200): 5}


def test_strength_scales_the_colours_alone():
    weak, strong = views.simclr(32, 0.25)[0].views, views.simclr(32, 1.0)[0].views
    assert weak[2] == views.ColorJitter(0.2, 0.2, 0.2, 0.05, probability=0.8)
    assert weak[:2] + weak[3:] == strong[:2] + strong[3:]


def test_without_flip_left_stays_left():
    assert not any(
        isinstance(part, views.RandomFlip) for part in views.simclr(8, flip=False)[0].views
    )


@pytest.mark.parametrize("size", [8, 32])
def test_a_crop_of_all_pixels_is_still_a_crop(size):
    # Where the size is the image's own, a crop of `size` pixels would change nothing.
    images = np.random.default_rng(0).random((100, size, size, 3), "float32")
    crop = views.simclr(size)[0].views[0]
    changed = np.abs(crop(images, (0, 1)) - images).max(axis=(1, 2, 3)) > 0.1
    assert changed.mean() > 0.9

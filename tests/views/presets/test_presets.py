import json

import keras
import numpy as np
import pytest

from keras_ssl import views

METHODS = ["simclr", "simsiam", "byol", "barlow_twins", "vicreg", "swav", "dino", "emp_ssl"]


def row(size, scale, jitter, blur=None, solarize=None, ratio=(3 / 4, 4 / 3)):
    """A view as the papers' tables give it, in the order that they apply it."""
    parts = [
        views.RandomResizedCrop(size, scale, ratio),
        views.RandomFlip(0.5),
        views.ColorJitter(*jitter, probability=0.8),
        views.RandomGrayscale(0.2),
        None if blur is None else views.GaussianBlur((0.1, 2.0), None, blur),
        None if solarize is None else views.Solarize(0.5, solarize),
    ]
    return views.Compose([part for part in parts if part is not None])


SIMCLR, SIMSIAM, BYOL = (0.8, 0.8, 0.8, 0.2), (0.4, 0.4, 0.4, 0.1), (0.4, 0.4, 0.2, 0.1)
EMP = (0.4, 0.4, 0.4, 0.2)
ALL, FIFTH = (0.08, 1.0), (0.2, 1.0)  # least and largest share of the area
# Large images: the papers' appendices and the authors' code. Small ones: solo-learn's settings for
# CIFAR-10, which have no small crops; those, at 32 pixels, are choices of this library.
PAPERS = {
    ("simsiam", 224): [row(224, FIFTH, SIMSIAM, 0.5)] * 2,
    ("simsiam", 32): [row(32, ALL, SIMSIAM)] * 2,
    ("byol", 224): [row(224, ALL, BYOL, 1.0), row(224, ALL, BYOL, 0.1, 0.2)],
    ("byol", 32): [row(32, ALL, BYOL), row(32, ALL, BYOL, None, 0.2)],
    ("barlow_twins", 224): [row(224, ALL, BYOL, 1.0), row(224, ALL, BYOL, 0.1, 0.2)],
    ("barlow_twins", 32): [row(32, ALL, BYOL), row(32, ALL, BYOL, None, 0.2)],
    ("vicreg", 224): [row(224, ALL, BYOL, 0.5, 0.1)] * 2,
    ("vicreg", 32): [row(32, FIFTH, BYOL, None, 0.1)] * 2,
    ("swav", 224): [row(224, (0.14, 1.0), SIMCLR, 0.5)] * 2
    + [row(96, (0.05, 0.14), SIMCLR, 0.5)] * 6,
    ("swav", 32): [row(32, (0.3, 1.0), SIMCLR)] * 2 + [row(16, (0.1, 0.3), SIMCLR)] * 6,
    ("dino", 224): [row(224, (0.4, 1.0), BYOL, 1.0), row(224, (0.4, 1.0), BYOL, 0.1, 0.2)]
    + [row(96, (0.05, 0.4), BYOL, 0.5)] * 8,
    ("dino", 32): [row(32, (0.3, 1.0), BYOL), row(32, (0.3, 1.0), BYOL, None, 0.2)]
    + [row(16, (0.1, 0.3), BYOL)] * 8,
    ("emp_ssl", 224): [row(224, (0.25, 0.25), EMP, 0.1, 0.1)] * 20,
    ("emp_ssl", 32): [row(32, (0.25, 0.25), EMP, 0.1, 0.1, ratio=(1.0, 1.0))] * 20,
}


def ready(method, *args, **kwargs):
    return getattr(views, method)(*args, **kwargs)


@pytest.mark.parametrize(("method", "size"), PAPERS)
def test_views_are_those_of_the_paper(method, size):
    assert ready(method, size) == tuple(PAPERS[method, size])


@pytest.mark.parametrize("method", ["byol", "barlow_twins", "dino"])
@pytest.mark.parametrize("size", [224, 32])
def test_the_two_views_of_byol_and_its_heirs_differ(method, size):
    first, second, *_ = ready(method, size)
    assert first != second


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


def test_strength_scales_the_colors_alone():
    weak, strong = views.simclr(32, 0.25)[0].views, views.simclr(32, 1.0)[0].views
    assert weak[2] == views.ColorJitter(0.2, 0.2, 0.2, 0.05, probability=0.8)
    assert weak[:2] + weak[3:] == strong[:2] + strong[3:]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [8, 64])
def test_without_flip_left_stays_left_and_all_else_is_the_same(method, size):
    for view, flipped in zip(ready(method, size, flip=False), ready(method, size), strict=True):
        kept = [part for part in flipped.views if not isinstance(part, views.RandomFlip)]
        assert view == views.Compose(kept)
        assert len(kept) == len(flipped.views) - 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [8, 32])
def test_a_crop_of_all_pixels_is_still_a_crop(method, size):
    # Where the size is the image's own, a crop of `size` pixels would change nothing.
    images = np.random.default_rng(0).random((100, size, size, 3), "float32")
    for view in ready(method, size)[:2]:
        crop = view.views[0]
        assert crop.size == (size, size)
        changed = np.abs(crop(images, (0, 1)) - images).max(axis=(1, 2, 3)) > 0.1
        assert changed.mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_8_pixels_become_float32_from_0_to_1(method, channels):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, channels), "uint8")
    for view in {*ready(method, 8)}:
        results = np.asarray(view(images, (0, 1)))
        assert results.dtype == np.float32
        assert results.shape == (16, *view.views[0].size, channels)
        assert np.isfinite(results).all()
        assert results.min() >= 0
        assert results.max() <= 1
        assert results.std(axis=(1, 2)).max() > 0.05  # pictures, not plain areas


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [32, (64, 96)])
def test_saved_views_come_back_equal(method, size):
    made = ready(method, size)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    assert tuple(keras.saving.deserialize_keras_object(config)) == made


def test_emp_ssl_makes_as_many_patches_as_it_is_told():
    assert views.emp_ssl(32, patches=3) == views.emp_ssl(32)[:3]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 0}, ValueError, "`size` must be an int above 0.*received 0"),
        ({"size": 8.5}, ValueError, "`size` must be an int above 0.*8.5"),
        ({"size": (8, 8, 3)}, ValueError, "`size` must be.*8, 8, 3"),
        ({"size": 8, "flip": 1}, TypeError, "`flip` must be a bool, received 1"),
        ({"size": 8, "flip": None}, TypeError, "`flip` must be a bool, received None"),
    ],
)
def test_says_what_is_wrong_with_size_or_flip(method, arguments, error, message):
    with pytest.raises(error, match=message):
        ready(method, **arguments)


@pytest.mark.parametrize(
    ("patches", "error", "message"),
    [
        (1, ValueError, "`patches` must be at least 2, received 1"),
        (2.0, TypeError, "`patches` must be an int, received 2.0"),
        (True, TypeError, "`patches` must be an int, received True"),
    ],
)
def test_says_what_is_wrong_with_patches(patches, error, message):
    with pytest.raises(error, match=message):
        views.emp_ssl(8, patches=patches)

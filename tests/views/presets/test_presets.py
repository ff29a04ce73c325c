import json

import keras
import numpy as np
import pytest

from keras_ssl import views

METHODS = ["simclr", "simsiam", "byol", "barlow_twins", "vicreg", "swav", "dino", "emp_ssl"]


def paper_view(size, scale, jitter, blur=None, solarize=None, ratio=(3 / 4, 4 / 3)):
    """Returns a view with the settings of a paper's table, in the order of the paper."""
    steps = [
        views.RandomResizedCrop(size, scale, ratio),
        views.RandomFlip(0.5),
        views.ColorJitter(*jitter, probability=0.8),
        views.RandomGrayscale(0.2),
        None if blur is None else views.GaussianBlur((0.1, 2.0), None, blur),
        None if solarize is None else views.Solarize(0.5, solarize),
    ]
    return views.Compose([step for step in steps if step is not None])


SIMCLR, SIMSIAM, BYOL = (0.8, 0.8, 0.8, 0.2), (0.4, 0.4, 0.4, 0.1), (0.4, 0.4, 0.2, 0.1)
EMP = (0.4, 0.4, 0.4, 0.2)
WIDE, NARROW = (0.08, 1.0), (0.2, 1.0)  # smallest and largest fraction of the area
# Large images: the papers' appendices and the authors' code. Small images: solo-learn's settings
# for CIFAR-10. These have no small crops; at 32 pixels, small crops are a choice of this library.
PAPERS = {
    ("simsiam", 224): [paper_view(224, NARROW, SIMSIAM, 0.5)] * 2,
    ("simsiam", 32): [paper_view(32, WIDE, SIMSIAM)] * 2,
    ("byol", 224): [paper_view(224, WIDE, BYOL, 1.0), paper_view(224, WIDE, BYOL, 0.1, 0.2)],
    ("byol", 32): [paper_view(32, WIDE, BYOL), paper_view(32, WIDE, BYOL, None, 0.2)],
    ("barlow_twins", 224): [
        paper_view(224, WIDE, BYOL, 1.0),
        paper_view(224, WIDE, BYOL, 0.1, 0.2),
    ],
    ("barlow_twins", 32): [paper_view(32, WIDE, BYOL), paper_view(32, WIDE, BYOL, None, 0.2)],
    ("vicreg", 224): [paper_view(224, WIDE, BYOL, 0.5, 0.1)] * 2,
    ("vicreg", 32): [paper_view(32, NARROW, BYOL, None, 0.1)] * 2,
    ("swav", 224): [paper_view(224, (0.14, 1.0), SIMCLR, 0.5)] * 2
    + [paper_view(96, (0.05, 0.14), SIMCLR, 0.5)] * 6,
    ("swav", 32): [paper_view(32, (0.3, 1.0), SIMCLR)] * 2
    + [paper_view(16, (0.1, 0.3), SIMCLR)] * 6,
    ("dino", 224): [
        paper_view(224, (0.4, 1.0), BYOL, 1.0),
        paper_view(224, (0.4, 1.0), BYOL, 0.1, 0.2),
    ]
    + [paper_view(96, (0.05, 0.4), BYOL, 0.5)] * 8,
    ("dino", 32): [paper_view(32, (0.3, 1.0), BYOL), paper_view(32, (0.3, 1.0), BYOL, None, 0.2)]
    + [paper_view(16, (0.1, 0.3), BYOL)] * 8,
    ("emp_ssl", 224): [paper_view(224, (0.25, 0.25), EMP, 0.1, 0.1)] * 20,
    ("emp_ssl", 32): [paper_view(32, (0.25, 0.25), EMP, 0.1, 0.1, ratio=(1.0, 1.0))] * 20,
}


def preset(method, *args, **kwargs):
    return getattr(views, method)(*args, **kwargs)


@pytest.mark.parametrize(("method", "size"), PAPERS)
def test_presets_have_the_settings_of_the_paper(method, size):
    assert preset(method, size) == tuple(PAPERS[method, size])


@pytest.mark.parametrize("method", ["byol", "barlow_twins", "dino"])
@pytest.mark.parametrize("size", [224, 32])
def test_the_two_views_of_byol_barlow_twins_and_dino_differ(method, size):
    first, second, *_ = preset(method, size)
    assert first != second


def test_simclr_on_large_images_has_the_papers_settings_for_imagenet():
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


def test_simclr_on_small_images_has_half_the_strength_and_no_blur():
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


def test_images_are_small_if_the_shorter_side_is_below_64():
    num_steps = {size: len(views.simclr(size)[0].views) for size in (63, 64, (64, 63), (64, 200))}
    assert num_steps == {63: 4, 64: 5, (64, 63): 4, (64, 200): 5}


def test_simclr_strength_scales_only_the_color_jitter():
    weak, strong = views.simclr(32, 0.25)[0].views, views.simclr(32, 1.0)[0].views
    assert weak[2] == views.ColorJitter(0.2, 0.2, 0.2, 0.05, probability=0.8)
    assert weak[:2] + weak[3:] == strong[:2] + strong[3:]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [8, 64])
def test_flip_false_removes_only_the_flip(method, size):
    for view, flipped in zip(preset(method, size, flip=False), preset(method, size), strict=True):
        others = [step for step in flipped.views if not isinstance(step, views.RandomFlip)]
        assert view == views.Compose(others)
        assert len(others) == len(flipped.views) - 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [8, 32])
def test_crops_at_the_size_of_the_image_change_it(method, size):
    # A crop without resizing would change nothing at the size of the image.
    images = np.random.default_rng(0).random((100, size, size, 3), "float32")
    for view in preset(method, size)[:2]:
        crop = view.views[0]
        assert crop.size == (size, size)
        changed = np.abs(crop(images, (0, 1)) - images).max(axis=(1, 2, 3)) > 0.1
        assert changed.mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_presets_return_float32_in_0_to_1_for_images_of_8_pixels(method, channels):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, channels), "uint8")
    for view in {*preset(method, 8)}:
        results = np.asarray(view(images, (0, 1)))
        assert results.dtype == np.float32
        assert results.shape == (16, *view.views[0].size, channels)
        assert np.isfinite(results).all()
        assert results.min() >= 0
        assert results.max() <= 1
        assert results.std(axis=(1, 2)).max() > 0.05  # images with content


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [32, (64, 96)])
def test_loaded_presets_are_equal(method, size):
    originals = preset(method, size)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(originals)))
    assert tuple(keras.saving.deserialize_keras_object(config)) == originals


def test_emp_ssl_returns_the_given_number_of_patches():
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
def test_presets_reject_bad_size_and_flip(method, arguments, error, message):
    with pytest.raises(error, match=message):
        preset(method, **arguments)


@pytest.mark.parametrize(
    ("patches", "error", "message"),
    [
        (1, ValueError, "`patches` must be at least 2, received 1"),
        (2.0, TypeError, "`patches` must be an int, received 2.0"),
        (True, TypeError, "`patches` must be an int, received True"),
    ],
)
def test_emp_ssl_rejects_bad_patches(patches, error, message):
    with pytest.raises(error, match=message):
        views.emp_ssl(8, patches=patches)

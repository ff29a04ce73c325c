import json

import keras
import method_checks
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl
from keras_ssl import views

LARGE, SMALL = views.RandomResizedCrop(8, (0.3, 1.0)), views.RandomResizedCrop(4, (0.1, 0.3))
PRESETS = {"swav": (views.swav, 6), "dino": (views.dino, 8)}


def images_of(channels=3, batch=8, size=8):
    return np.random.default_rng(0).integers(0, 256, (batch, size, size, channels), "uint8")


@pytest.fixture(params=PRESETS)
def preset(request):
    return PRESETS[request.param][0]


def test_multi_crop_returns_two_large_crops_then_the_small_ones():
    assert views.multi_crop(LARGE, SMALL, 3) == (LARGE, LARGE, SMALL, SMALL, SMALL)


def test_multi_crop_has_six_small_crops_by_default():
    assert views.multi_crop(LARGE, SMALL) == (LARGE, LARGE, *[SMALL] * 6)


@pytest.mark.parametrize("kind", [tuple, list])
def test_the_two_large_crops_may_be_different_views(kind):
    pair = kind(views.byol(8))
    assert views.multi_crop(pair, SMALL, 1) == (*views.byol(8), SMALL)


def test_multi_crop_accepts_no_small_crops():
    assert views.multi_crop(LARGE, SMALL, 0) == (LARGE, LARGE)


def test_multi_crop_accepts_functions_as_views():
    def identity(images, seed):
        return images

    assert views.multi_crop(identity, SMALL, 1) == (identity, identity, SMALL)


@pytest.mark.parametrize(("preset", "small_crops"), PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_multi_crop_presets_return_large_crops_and_small_ones_of_half_the_side(
    preset, small_crops, channels
):
    images = images_of(channels)
    crops = [view(images, (0, number)) for number, view in enumerate(preset(8))]
    sizes = [tuple(crop.shape) for crop in crops]
    assert sizes == [(8, 8, 8, channels)] * 2 + [(8, 4, 4, channels)] * small_crops


def test_make_views_draws_different_numbers_for_each_crop():
    dataset = tf.data.Dataset.from_tensor_slices(images_of(1))
    dataset = keras_ssl.data.make_views(dataset, views.swav(8, small_crops=2), batch_size=4)
    ((crops,),) = dataset.take(1)
    assert [tuple(crop.shape[1:3]) for crop in crops] == [(8, 8), (8, 8), (4, 4), (4, 4)]
    assert len({crop.numpy().tobytes() for crop in crops}) == 4  # two of the views are equal


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (224, (96, 96)),  # both papers
        (64, (32, 32)),
        (96, (48, 48)),
        ((64, 224), (32, 96)),
        (63, (31, 31)),
        (32, (16, 16)),
        ((28, 224), (14, 112)),
        (8, (4, 4)),
        (6, (4, 4)),
        (3, (3, 3)),
    ],
)
def test_the_default_size_of_small_crops_depends_on_the_large_size(preset, size, expected):
    sizes = [view.views[0].size for view in preset(size)]
    assert sizes == [views.RandomResizedCrop(size).size] * 2 + [expected] * (len(sizes) - 2)


def test_small_crops_have_the_given_size_and_number(preset):
    sizes = [view.views[0].size for view in preset(32, small_size=(12, 20), small_crops=3)]
    assert sizes == [(32, 32)] * 2 + [(12, 20)] * 3


@pytest.mark.parametrize(
    ("name", "size", "large", "small"),
    [
        ("swav", 224, (0.14, 1.0), (0.05, 0.14)),
        ("dino", 224, (0.4, 1.0), (0.05, 0.4)),
        ("swav", 32, (0.3, 1.0), (0.1, 0.3)),
        ("dino", 32, (0.3, 1.0), (0.1, 0.3)),
    ],
)
def test_crops_cover_the_documented_fraction_of_the_area(name, size, large, small):
    images = np.zeros((4000, size, size, 1), "uint8")
    crops = PRESETS[name][0](size)
    for view, (smallest, largest) in ((crops[0], large), (crops[1], large), (crops[-1], small)):
        _, _, height, width = (np.asarray(x) for x in view.views[0].draw_boxes(images, (0, 1)))
        fractions = height * width / size**2
        # Sides are rounded to whole pixels.
        rounding = 1 / np.minimum(height, width).min()
        assert smallest * (1 - rounding) <= fractions.min() < smallest * (1 + rounding) + 0.01
        assert largest * (1 - rounding) - 0.05 < fractions.max() <= largest * (1 + rounding)
        if largest < 1:  # near 1, boxes often do not fit and smaller ones replace them
            assert fractions.mean() == pytest.approx((smallest + largest) / 2, rel=0.05)


@pytest.mark.parametrize(
    ("crops", "expected"),
    [
        # The authors' scripts and recommendations without multi-crop.
        (views.swav(224, small_crops=0), (0.08, 1.0)),
        (views.dino(224, small_crops=0), (0.14, 1.0)),
        # solo-learn's settings for CIFAR-10.
        (views.swav(32, small_crops=0), (0.08, 1.0)),
        (views.dino(32, small_crops=0), (0.08, 1.0)),
    ],
    ids=["swav", "dino", "small swav", "small dino"],
)
def test_without_small_crops_the_large_crops_start_smaller(crops, expected):
    assert [view.views[0].scale for view in crops] == [expected] * 2


def test_dino_without_small_crops_is_byol_on_small_images():
    assert views.dino(32, small_crops=0) == views.byol(32)  # solo-learn's settings for CIFAR-10


def test_loaded_multi_crop_views_are_equal():
    crops = views.multi_crop(views.byol(8), SMALL, 2)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(crops)))
    assert tuple(keras.saving.deserialize_keras_object(config)) == crops


@pytest.mark.parametrize(
    "crops",
    [views.swav(32), views.dino(8), views.multi_crop(LARGE, SMALL)],
    ids=["swav", "dino", "custom"],
)
def test_multi_crop_views_are_saved_with_the_model(tmp_path, crops):
    model = keras_ssl.SimCLR(method_checks.small_encoder(), projector=(16, 8), views=crops)
    model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").views == crops


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: views.multi_crop(8, SMALL), TypeError, "`large` must be a view or a pair.*8"),
        (lambda: views.multi_crop((LARGE,), SMALL), TypeError, "`large` must be a view or a pair"),
        (lambda: views.multi_crop([LARGE] * 3, SMALL), TypeError, "`large` must be a view or a"),
        (lambda: views.multi_crop((LARGE, 8), SMALL), TypeError, "`large` must be a view or a"),
        (lambda: views.multi_crop(LARGE, views.byol(8)), TypeError, "`small` must be one view"),
        (lambda: views.multi_crop(LARGE, None), TypeError, "`small` must be one view.*None"),
        (
            lambda: views.multi_crop(LARGE, SMALL, 1.5),
            TypeError,
            "`small_crops` must be an int.*1.5",
        ),
        (lambda: views.multi_crop(LARGE, SMALL, True), TypeError, "`small_crops` must be an int"),
        (lambda: views.multi_crop(LARGE, SMALL, -1), ValueError, "`small_crops`.*least 0.*-1"),
    ],
)
def test_multi_crop_rejects_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"small_size": 0}, ValueError, "`small_size` must be an int above 0.*0"),
        ({"small_size": 16.0}, ValueError, "`small_size` must be an int above 0.*16.0"),
        ({"small_size": 33}, ValueError, r"`small_size` must be at most `size` \(32, 32\).*33, 33"),
        ({"small_size": (16, 33)}, ValueError, "`small_size` must be at most `size`.*16, 33"),
        ({"small_crops": 2.5}, TypeError, "`small_crops` must be an int, received 2.5"),
        ({"small_crops": "6"}, TypeError, "`small_crops` must be an int, received '6'"),
        ({"small_crops": -1}, ValueError, "`small_crops` must be at least 0, received -1"),
    ],
)
def test_multi_crop_presets_reject_bad_small_crops(preset, arguments, error, message):
    with pytest.raises(error, match=message):
        preset(32, **arguments)

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_ssl import _internals
from keras_ssl.views import Compose, KerasLayer, RandomFlip

SEED = (3, 4)
IMAGE = np.random.default_rng(0).random((1, 12, 14, 3), "float32")
IMAGES = np.repeat(IMAGE, 8, axis=0)
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="on other backends these layers do not run in tf.data",
)

MAKERS = {
    "crop": lambda: layers.RandomCrop(5, 6),  # draws one position for a batch
    "blur": lambda: layers.RandomGaussianBlur(
        1.0, sigma=(0.5, 2), value_range=(0, 1)
    ),  # draws one sigma for a batch
    "brightness": lambda: layers.RandomBrightness(0.5),
    "rotation": lambda: layers.RandomRotation(0.2),
    "jitter": lambda: layers.RandomColorJitter((0, 255), 0.5, 0.5, 0.5, 0.2),
    "pipeline": lambda: layers.Pipeline([layers.RandomFlip(), layers.RandomRotation(0.2)]),
    "erasing": lambda: layers.RandomErasing(1.0, value_range=(0, 1)),
}


def import_keras_cv():
    return pytest.importorskip("keras_cv")


CV_MAKERS = {
    "generator": lambda cv: cv.layers.RandomRotation(0.2),
    "uniform sampler": lambda cv: cv.layers.RandomBrightness(0.5),
    "normal sampler": lambda cv: cv.layers.RandomBrightness(
        cv.core.NormalFactorSampler(0, 0.3, -1, 1)
    ),
    "inside another": lambda cv: cv.layers.RandomAugmentationPipeline(
        [cv.layers.RandomShear(0.3, 0.3)], 1, 1.0
    ),
}


CASES = [*MAKERS, *(f"keras_cv {name}" for name in CV_MAKERS)]
SLOW_CASES = ("jitter", "pipeline", "keras_cv inside another")


@pytest.fixture(
    params=[pytest.param(c, marks=pytest.mark.slow) if c in SLOW_CASES else c for c in CASES]
)
def layer(request):
    if request.param in MAKERS:
        return MAKERS[request.param]()
    return CV_MAKERS[request.param.removeprefix("keras_cv ")](import_keras_cv())


def apply(view, images=IMAGES, seed=SEED):
    return np.asarray(view(images, seed))


def test_keras_layer_draws_for_each_image_and_each_seed(layer):
    view = KerasLayer(layer)
    results = apply(view)
    assert len({result.tobytes() for result in results}) >= 4
    np.testing.assert_array_equal(apply(view), results)
    assert np.any(apply(view, seed=(3, 5)) != results)


def test_keras_layer_neither_reads_nor_changes_the_state_of_the_layer(layer):
    expected = apply(KerasLayer(layer))
    layer(keras.ops.convert_to_tensor(IMAGES), training=True)  # advances its generators
    values = [np.array(variable) for variable in layer.variables]
    kinds = [(part, name, type(value)) for part, name, value in attributes(layer)]
    np.testing.assert_array_equal(apply(KerasLayer(layer)), expected)
    np.testing.assert_equal([np.array(variable) for variable in layer.variables], values)
    assert [(part, name, type(value)) for part, name, value in attributes(layer)] == kinds


def attributes(layer):
    for sublayer in _internals.iter_layers(layer):
        for name, value in vars(sublayer).items():
            yield sublayer, name, value


def test_the_first_trace_draws_the_same_numbers_as_later_ones(layer):
    # Keras draws an additional number when it builds a layer.
    view = KerasLayer(layer)
    dataset = tf.data.Dataset.from_tensors(IMAGES).map(lambda images: view(images, SEED))
    expected = next(iter(dataset))
    np.testing.assert_allclose(apply(view), expected, atol=1e-5)
    np.testing.assert_allclose(apply(view, IMAGES[:5]), expected[:5], atol=1e-5)


def test_the_layers_own_seed_has_no_effect():
    views = [KerasLayer(layers.RandomRotation(0.2, seed=seed)) for seed in (1, 2)]
    np.testing.assert_array_equal(*map(apply, views))


def test_two_layers_in_a_sequence_draw_different_numbers():
    view = Compose([KerasLayer(layers.RandomFlip("horizontal"))] * 2)
    changed = (apply(view) != IMAGES).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < 8


def test_crops_of_keras_are_windows_of_the_image():
    windows = np.lib.stride_tricks.sliding_window_view(IMAGE[0], (5, 6, 3))[:, :, 0]
    windows = windows.reshape(-1, 5, 6, 3)
    for result in apply(KerasLayer(layers.RandomCrop(5, 6))):
        assert np.abs(windows - result).max(axis=(1, 2, 3)).min() < 1e-6


def test_flips_of_keras_are_those_of_random_flip():
    flipped = np.asarray(RandomFlip(1.0)(IMAGE, SEED))
    for result in apply(KerasLayer(layers.RandomFlip("horizontal"))):
        assert any(np.allclose(result, image[0], atol=1e-6) for image in (IMAGE, flipped))


@pytest.mark.parametrize("value_range", [(0, 1), (0, 255), (-1, 1)])
def test_a_layer_receives_pixels_in_its_value_range(value_range):
    images = np.full((64, 2, 2, 3), 0.5, "float32")
    view = KerasLayer(layers.RandomBrightness(0.2, value_range=value_range))
    shifts = apply(view, images)[:, 0, 0, 0] - 0.5
    # Keras adds up to 0.2 of the width of the range.
    assert 0.15 < np.abs(shifts).max() <= 0.2
    assert shifts.min() < 0 < shifts.max()


def test_the_value_range_may_be_that_of_the_layers_inside():
    images = np.full((32, 2, 2, 3), 0.5, "float32")
    inside = [layers.RandomFlip(), layers.RandomBrightness(0.2, value_range=(0, 255))]
    shifts = np.abs(apply(KerasLayer(layers.Pipeline(inside)), images) - 0.5)
    assert 0.15 < shifts.max() <= 0.2
    inside.append(layers.RandomContrast(0.2, value_range=(0, 1)))
    with pytest.raises(ValueError, match=r"`layer`.*different value ranges.*255"):
        KerasLayer(layers.Pipeline(inside))


def test_keras_layer_converts_uint8_and_clips_to_0_to_1():
    images = np.full((16, 4, 4, 3), 250, "uint8")
    results = apply(KerasLayer(layers.RandomBrightness((0.5, 0.9))), images)
    assert results.dtype == np.float32
    np.testing.assert_array_equal(results, 1)


@on_tensorflow
def test_keras_layer_accepts_layers_that_are_not_for_preprocessing():
    view = KerasLayer(keras.Sequential([layers.GaussianNoise(0.1), layers.RandomFlip()]))
    results = apply(view)
    assert len({result.tobytes() for result in results}) == 8
    assert 0.05 < np.std(np.sort(results, axis=2) - np.sort(IMAGES, axis=2)) < 0.2


def test_keras_layer_rejects_layers_that_draw_from_global_state():
    with pytest.raises(
        ValueError, match=r"AugMix draws random numbers.*global random state of Python"
    ):
        apply(KerasLayer(layers.AugMix((0, 255))))


def test_keras_layer_rejects_keras_cv_layers_that_draw_from_global_state():
    cv = import_keras_cv()
    with pytest.raises(ValueError, match=r"AugMix draws random numbers.*RandomGamma"):
        apply(KerasLayer(cv.layers.AugMix((0, 255))))
    with pytest.raises(ValueError, match=r"RandomCutout draws.*RandomStandardNormal"):
        apply(KerasLayer(cv.layers.RandomCutout(0.5, 0.5, fill_mode="gaussian_noise")))


@on_tensorflow
def test_keras_layer_rejects_layers_that_do_not_return_images():
    with pytest.raises(ValueError, match="Flatten returned"):
        apply(KerasLayer(layers.Flatten()))


def test_keras_layer_rejects_objects_that_are_not_layers():
    for invalid in (layers.RandomFlip, "RandomFlip", None, RandomFlip()):
        with pytest.raises(TypeError, match=r"`layer` must be a layer.*received"):
            KerasLayer(invalid)


def test_a_loaded_keras_layer_gives_the_same_pixels(layer):
    view = KerasLayer(layer)
    expected = apply(view)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(view))
    assert loaded == view
    assert hash(loaded) == hash(view)
    np.testing.assert_allclose(apply(loaded), expected, atol=1e-6)


def test_keras_layers_with_different_arguments_are_not_equal():
    make = layers.RandomRotation
    assert KerasLayer(make(0.1, name="a")) == KerasLayer(make(0.1, name="a"))
    assert KerasLayer(make(0.1, name="a")) != KerasLayer(make(0.2, name="a"))


def test_a_keras_layer_stays_equal_when_its_layer_is_built():
    layer = MAKERS["pipeline"]()
    view, unbuilt = KerasLayer(layer), {KerasLayer(layer)}
    assert view in unbuilt
    apply(view)
    assert KerasLayer(layer) in unbuilt

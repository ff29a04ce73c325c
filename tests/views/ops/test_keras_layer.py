import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_ssl.views import Compose, KerasLayer, RandomFlip

SEED = (3, 4)
IMAGE = np.random.default_rng(0).random((1, 12, 14, 3), "float32")
IMAGES = np.repeat(IMAGE, 8, axis=0)
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="elsewhere these layers do not run in tf.data"
)

MAKERS = {
    "crop": lambda: layers.RandomCrop(5, 6),  # one place for a batch, by itself
    "blur": lambda: layers.RandomGaussianBlur(1.0, sigma=(0.5, 2), value_range=(0, 1)),  # one width
    "brightness": lambda: layers.RandomBrightness(0.5),
    "rotation": lambda: layers.RandomRotation(0.2),
    "jitter": lambda: layers.RandomColorJitter((0, 255), 0.5, 0.5, 0.5, 0.2),
    "pipeline": lambda: layers.Pipeline([layers.RandomFlip(), layers.RandomRotation(0.2)]),
    "erasing": lambda: layers.RandomErasing(1.0, value_range=(0, 1)),
}


def import_keras_cv():
    keras_cv = pytest.importorskip("keras_cv")
    return keras_cv


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


@pytest.fixture(params=[*MAKERS, *(f"keras_cv {name}" for name in CV_MAKERS)])
def layer(request):
    if request.param in MAKERS:
        return MAKERS[request.param]()
    return CV_MAKERS[request.param.removeprefix("keras_cv ")](import_keras_cv())


def drawn(view, images=IMAGES, seed=SEED):
    return np.asarray(view(images, seed))


def test_each_image_gets_its_own_draw_and_each_seed_its_own_pixels(layer):
    view = KerasLayer(layer)
    results = drawn(view)
    assert len({result.tobytes() for result in results}) >= 4
    np.testing.assert_array_equal(drawn(view), results)
    assert np.any(drawn(view, seed=(3, 5)) != results)


def test_the_layers_own_state_neither_matters_nor_changes(layer):
    expected = drawn(KerasLayer(layer))
    layer(keras.ops.convert_to_tensor(IMAGES), training=True)  # moves its generators on
    values = [np.array(variable) for variable in layer.variables]
    kinds = [(part, name, type(value)) for part, name, value in attributes(layer)]
    np.testing.assert_array_equal(drawn(KerasLayer(layer)), expected)
    np.testing.assert_equal([np.array(variable) for variable in layer.variables], values)
    assert [(part, name, type(value)) for part, name, value in attributes(layer)] == kinds


def attributes(layer):
    for part in layer._flatten_layers():
        for name, value in vars(part).items():
            yield part, name, value


def test_its_first_trace_draws_what_later_ones_do(layer):
    # Keras draws once more where it builds a layer.
    view = KerasLayer(layer)
    dataset = tf.data.Dataset.from_tensors(IMAGES).map(lambda images: view(images, SEED))
    in_data = next(iter(dataset))
    np.testing.assert_allclose(drawn(view), in_data, atol=1e-5)
    np.testing.assert_allclose(drawn(view, IMAGES[:5]), in_data[:5], atol=1e-5)


def test_the_seed_of_the_layer_has_no_effect():
    views = [KerasLayer(layers.RandomRotation(0.2, seed=seed)) for seed in (1, 2)]
    np.testing.assert_array_equal(*map(drawn, views))


def test_two_layers_in_a_row_draw_apart():
    view = Compose([KerasLayer(layers.RandomFlip("horizontal"))] * 2)
    changed = (drawn(view) != IMAGES).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < 8


def test_crops_are_parts_of_the_image():
    windows = np.lib.stride_tricks.sliding_window_view(IMAGE[0], (5, 6, 3))[:, :, 0]
    windows = windows.reshape(-1, 5, 6, 3)
    for result in drawn(KerasLayer(layers.RandomCrop(5, 6))):
        assert np.abs(windows - result).max(axis=(1, 2, 3)).min() < 1e-6


def test_flips_are_flips_of_keras_ssl_but_for_the_draw():
    flipped = np.asarray(RandomFlip(1.0)(IMAGE, SEED))
    for result in drawn(KerasLayer(layers.RandomFlip("horizontal"))):
        assert any(np.allclose(result, each[0], atol=1e-6) for each in (IMAGE, flipped))


@pytest.mark.parametrize("value_range", [(0, 1), (0, 255), (-1, 1)])
def test_gives_a_layer_pixels_in_its_value_range(value_range):
    images = np.full((64, 2, 2, 3), 0.5, "float32")
    view = KerasLayer(layers.RandomBrightness(0.2, value_range=value_range))
    shifts = drawn(view, images)[:, 0, 0, 0] - 0.5
    # Of a range of 1, whatever its name: Keras adds up to 0.2 of its width.
    assert 0.15 < np.abs(shifts).max() <= 0.2
    assert shifts.min() < 0 < shifts.max()


def test_takes_the_value_range_from_the_layers_inside():
    images = np.full((32, 2, 2, 3), 0.5, "float32")
    inside = [layers.RandomFlip(), layers.RandomBrightness(0.2, value_range=(0, 255))]
    shifts = np.abs(drawn(KerasLayer(layers.Pipeline(inside)), images) - 0.5)
    assert 0.15 < shifts.max() <= 0.2
    inside.append(layers.RandomContrast(0.2, value_range=(0, 1)))
    with pytest.raises(ValueError, match=r"`layer`.*different value ranges.*255"):
        KerasLayer(layers.Pipeline(inside))


def test_uint8_images_and_what_leaves_0_to_1_are_brought_back():
    images = np.full((16, 4, 4, 3), 250, "uint8")
    results = drawn(KerasLayer(layers.RandomBrightness((0.5, 0.9))), images)
    assert results.dtype == np.float32
    np.testing.assert_array_equal(results, 1)


@on_tensorflow
def test_layers_that_are_no_preprocessing_work_too():
    view = KerasLayer(keras.Sequential([layers.GaussianNoise(0.1), layers.RandomFlip()]))
    results = drawn(view)
    assert len({result.tobytes() for result in results}) == 8
    assert 0.05 < np.std(np.sort(results, axis=2) - np.sort(IMAGES, axis=2)) < 0.2


def test_refuses_a_layer_that_draws_from_what_no_seed_reaches():
    with pytest.raises(ValueError, match=r"AugMix draws from.*global random state of Python"):
        drawn(KerasLayer(layers.AugMix((0, 255))))


def test_refuses_a_layer_of_keras_cv_that_draws_from_tensorflows_global_state():
    cv = import_keras_cv()
    with pytest.raises(ValueError, match=r"AugMix draws from.*RandomGamma"):
        drawn(KerasLayer(cv.layers.AugMix((0, 255))))
    with pytest.raises(ValueError, match=r"RandomCutout draws from.*RandomStandardNormal"):
        drawn(KerasLayer(cv.layers.RandomCutout(0.5, 0.5, fill_mode="gaussian_noise")))


@on_tensorflow
def test_refuses_a_layer_that_does_not_return_images():
    with pytest.raises(ValueError, match="Flatten returned"):
        drawn(KerasLayer(layers.Flatten()))


def test_refuses_what_is_no_layer():
    for wrong in (layers.RandomFlip, "RandomFlip", None, RandomFlip()):
        with pytest.raises(TypeError, match=r"`layer` must be a layer.*received"):
            KerasLayer(wrong)


def test_a_saved_view_draws_the_same(layer):
    view = KerasLayer(layer)
    expected = drawn(view)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(view))
    assert loaded == view
    assert hash(loaded) == hash(view)
    np.testing.assert_allclose(drawn(loaded), expected, atol=1e-6)


def test_views_of_layers_with_other_arguments_are_not_equal():
    make = layers.RandomRotation
    assert KerasLayer(make(0.1, name="a")) == KerasLayer(make(0.1, name="a"))
    assert KerasLayer(make(0.1, name="a")) != KerasLayer(make(0.2, name="a"))


def test_a_view_stays_equal_when_its_layer_is_built():
    layer = MAKERS["pipeline"]()
    view, known = KerasLayer(layer), {KerasLayer(layer)}
    assert view in known
    drawn(view)
    assert KerasLayer(layer) in known

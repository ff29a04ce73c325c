import keras
import numpy as np
import pytest
from keras import ops

from keras_ssl import images as pixels

UNIT = np.random.default_rng(0).random((2, 4, 5, 3), "float32")


def test_uint8_is_divided_by_255_and_floats_stay():
    levels = np.arange(256, dtype="uint8")
    np.testing.assert_allclose(
        np.asarray(pixels.to_unit_range(levels)), np.arange(256) / 255, rtol=1e-6
    )
    assert pixels.to_unit_range(levels).dtype == "float32"
    for dtype in ("float32", "float64", "float16"):
        floats = pixels.to_unit_range(UNIT.astype(dtype))
        assert floats.dtype == dtype
        np.testing.assert_array_equal(np.asarray(floats), UNIT.astype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_may_lie_a_little_outside_0_to_1(dtype):
    pixels.check_range(np.array([-0.5, 0.0, 1.0, 1.5], dtype), "views")
    for value in (1.6, 255.0, -0.6):
        with pytest.raises(ValueError, match=r"`views` has float pixels .* must lie in 0\.\.1"):
            pixels.check_range(np.array([0.5, value], dtype), "views")
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="`views` has NaN or infinite pixels"):
            pixels.check_range(np.array([0.5, value], dtype), "views")


def test_bfloat16_counts_as_a_float():
    pixels.check_batch(np.asarray(ops.cast(UNIT, "bfloat16")), "views")
    with pytest.raises(ValueError, match="from 0 to 255"):
        pixels.check_range(np.asarray(ops.cast([0.0, 255.0], "bfloat16")), "views")


def test_whole_numbers_and_empty_arrays_have_no_range_to_check():
    pixels.check_range(np.array([0, 255], "uint8"), "views")
    pixels.check_range(np.zeros((0, 4, 4, 3), "float32"), "views")


def test_a_call_is_checked_where_values_can_be_read():
    pixels.check_eager_range(UNIT)
    pixels.check_eager_range(keras.KerasTensor((None, 4, 5, 3)))
    pixels.check_eager_range([[0.5]])  # not an array: Keras says what is wrong with it
    for images in (255 * UNIT, ops.convert_to_tensor(255 * UNIT)):
        with pytest.raises(ValueError, match="`images` has float pixels"):
            pixels.check_eager_range(images)


def test_a_traced_call_is_left_to_the_pipeline():
    if keras.backend.backend() == "jax":
        import jax as backend

        trace = backend.jit
    else:
        import tensorflow as backend

        trace = backend.function

    def call(images):
        pixels.check_eager_range(images)
        return images

    trace(call)(ops.convert_to_tensor(255 * UNIT))


def test_images_that_a_network_can_read_pass():
    for images in (UNIT, UNIT.astype("float16"), (255 * UNIT).astype("uint8")):
        pixels.check_batch(images, "images")
        pixels.check_batch(images, "images", (None, 5, 3))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (UNIT[0], r"an element has shape \(4, 5, 3\): batch the dataset"),
        (UNIT[0, 0], r"received shape \(5, 3\)"),
        (UNIT.astype("int32"), r"uint8 \(0\.\.255\) or float \(0\.\.1\), received dtype int32"),
        (UNIT.astype("bool"), "received dtype bool"),
        (UNIT[:, :3], "has height 3 and the network takes 4"),
        (UNIT[:, :, :2], "has width 2 and the network takes 5"),
        (UNIT[..., :1], r"has channels 1 and the network takes 3: .* \(4, 5, 1\).* \(4, 5, 3\)"),
        (UNIT[:0], "is empty"),
        (255 * UNIT, "Divide by 255, or pass uint8"),
    ],
)
def test_names_what_is_wrong_with_a_batch(images, message):
    with pytest.raises(ValueError, match=f"`pictures` .*{message}"):
        pixels.check_batch(images, "pictures", (4, 5, 3))

import keras
import numpy as np
import pytest
from keras import ops

from keras_ssl import images as image_checks

UNIT = np.random.default_rng(0).random((2, 4, 5, 3), "float32")


def test_to_unit_range_divides_uint8_by_255_and_returns_floats_unchanged():
    levels = np.arange(256, dtype="uint8")
    np.testing.assert_allclose(
        np.asarray(image_checks.to_unit_range(levels)), np.arange(256) / 255, rtol=1e-6
    )
    assert image_checks.to_unit_range(levels).dtype == "float32"
    for dtype in ("float32", "float64", "float16"):
        floats = image_checks.to_unit_range(UNIT.astype(dtype))
        assert floats.dtype == dtype
        np.testing.assert_array_equal(np.asarray(floats), UNIT.astype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_check_range_accepts_floats_slightly_outside_of_0_to_1(dtype):
    image_checks.check_range(np.array([-0.5, 0.0, 1.0, 1.5], dtype), "views")
    for value in (1.6, 255.0, -0.6):
        with pytest.raises(ValueError, match=r"`views` has float pixels .* must be in 0\.\.1"):
            image_checks.check_range(np.array([0.5, value], dtype), "views")
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="`views` has NaN or infinite pixels"):
            image_checks.check_range(np.array([0.5, value], dtype), "views")


def test_check_batch_accepts_bfloat16():
    image_checks.check_batch(np.asarray(ops.cast(UNIT, "bfloat16")), "views")
    with pytest.raises(ValueError, match="from 0 to 255"):
        image_checks.check_range(np.asarray(ops.cast([0.0, 255.0], "bfloat16")), "views")


def test_check_range_accepts_integers_and_empty_arrays():
    image_checks.check_range(np.array([0, 255], "uint8"), "views")
    image_checks.check_range(np.zeros((0, 4, 4, 3), "float32"), "views")


def test_check_eager_range_rejects_values_out_of_range():
    image_checks.check_eager_range(UNIT)
    image_checks.check_eager_range(keras.KerasTensor((None, 4, 5, 3)))
    image_checks.check_eager_range([[0.5]])  # not an array: Keras raises an error for it
    for images in (255 * UNIT, ops.convert_to_tensor(255 * UNIT)):
        with pytest.raises(ValueError, match="`images` has float pixels"):
            image_checks.check_eager_range(images)


def test_check_eager_range_accepts_traced_tensors():
    if keras.backend.backend() == "jax":
        import jax as backend

        trace = backend.jit
    else:
        import tensorflow as backend

        trace = backend.function

    def call(images):
        image_checks.check_eager_range(images)
        return images

    trace(call)(ops.convert_to_tensor(255 * UNIT))


def test_check_batch_accepts_valid_images():
    for images in (UNIT, UNIT.astype("float16"), (255 * UNIT).astype("uint8")):
        image_checks.check_batch(images, "images")
        image_checks.check_batch(images, "images", (None, 5, 3))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (UNIT[0], r"its elements have shape \(4, 5, 3\): batch the dataset"),
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
def test_check_batch_rejects_invalid_images(images, message):
    with pytest.raises(ValueError, match=f"`x` .*{message}"):
        image_checks.check_batch(images, "x", (4, 5, 3))

"""Each operation against PIL, which FixMatch's authors use."""

import functools

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from keras_ssl.views.randaugment.operations import apply_randaugment

LEVELS = (-10, -7, -3, 1, 2, 4, 5, 6, 8, 9, 10)


def enhance(kind):
    return lambda image, v: getattr(ImageEnhance, kind)(image).enhance(0.05 + 0.9 * abs(v) / 10)


def affine(matrix):
    def transform(image, v):
        return image.transform(image.size, Image.Transform.AFFINE, matrix(0.3 * v / 10, image.size))

    return transform


PIL_OPERATIONS = {
    "AutoContrast": lambda image, v: ImageOps.autocontrast(image),
    "Brightness": enhance("Brightness"),
    "Color": enhance("Color"),
    "Contrast": enhance("Contrast"),
    "Equalize": lambda image, v: ImageOps.equalize(image),
    "Identity": lambda image, v: image,
    "Posterize": lambda image, v: ImageOps.posterize(image, 4 + int(abs(v) * 4 / 10)),
    "Rotate": lambda image, v: image.rotate(int(v * 30 / 10)),
    "Sharpness": enhance("Sharpness"),
    "ShearX": affine(lambda share, size: (1, share, 0, 0, 1, 0)),
    "ShearY": affine(lambda share, size: (1, 0, 0, share, 1, 0)),
    "Solarize": lambda image, v: ImageOps.solarize(image, 256 - int(abs(v) * 256 / 10)),
    "TranslateX": affine(lambda share, size: (1, 0, int(round(share * size[0], 9)), 0, 1, 0)),
    "TranslateY": affine(lambda share, size: (1, 0, 0, 0, 1, int(round(share * size[1], 9)))),
}


def images_of(channels, size=(32, 32)):
    """Noise, a ramp, one color, a narrow range, two values, and smooth blobs."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (*size, channels))
    ramp = np.broadcast_to(np.linspace(10, 240, size[1])[None, :, None], noise.shape)
    flat = np.full(noise.shape, 77)
    narrow = rng.integers(100, 131, noise.shape)
    binary = np.where(rng.random(noise.shape) < 0.3, 0, 255)
    rows, columns = np.mgrid[: size[0], : size[1], :channels][:2]
    blobs = 127 + 120 * np.sin(rows / 5) * np.cos(columns / 7 + np.arange(channels))
    return np.stack([noise, ramp, flat, narrow, binary, blobs]).astype("uint8")


def apply(images, operation, levels):
    """Applies an operation. JAX compiles it as a whole, as in a training step."""
    function = functools.partial(apply_randaugment, operation=operation)
    if keras.backend.backend() == "jax":
        import jax

        function = jax.jit(function)
    return np.asarray(function(images, level=np.asarray(levels, "float32")))


@pytest.mark.parametrize("size", [(32, 32), (17, 40), (8, 8)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", PIL_OPERATIONS)
def test_each_operation_is_equal_to_pil(operation, channels, size):
    images = images_of(channels, size)
    levels = np.repeat(LEVELS, len(images))
    images = np.tile(images, (len(LEVELS), 1, 1, 1))
    results = 255 * apply(images, operation, levels)
    for image, level, result in zip(images, levels.tolist(), results, strict=True):
        pil_image = Image.fromarray(image[..., 0] if channels == 1 else image)
        expected = np.asarray(PIL_OPERATIONS[operation](pil_image, level)).reshape(image.shape)
        np.testing.assert_allclose(result, expected, atol=1.01, err_msg=f"level {level}")


@pytest.mark.parametrize("operation", PIL_OPERATIONS)
def test_each_image_may_have_its_own_level(operation):
    images = images_of(3)
    levels = np.array([-8, -3, 1, 4, 6, 9], "float32")
    batch = apply(images, operation, levels)
    for index in range(len(levels)):
        single = apply(images[index : index + 1], operation, levels[index : index + 1])
        np.testing.assert_array_equal(batch[index], single[0])


@pytest.mark.parametrize("operation", PIL_OPERATIONS)
def test_operations_accept_an_empty_batch(operation):
    assert apply(np.zeros((0, 8, 8, 3), "uint8"), operation, 3).shape == (0, 8, 8, 3)


def test_color_operations_keep_alpha_and_geometric_ones_move_it():
    images = images_of(4)
    for operation in ("AutoContrast", "Equalize", "Contrast", "Sharpness", "Solarize"):
        changed = apply(images, operation, 9)
        np.testing.assert_allclose(changed[..., 3], images[..., 3] / 255, rtol=1e-6)
    translated_alpha = apply(images, "TranslateX", 5)[..., 3]
    np.testing.assert_allclose(translated_alpha[:, :, :-4], images[:, :, 4:, 3] / 255, rtol=1e-6)


def test_operations_on_floats_are_equal_to_those_on_uint8():
    images = images_of(3)
    np.testing.assert_array_equal(
        apply_randaugment(images, "Posterize", 5),
        apply_randaugment((images / 255).astype("float32"), "Posterize", 5),
    )


def test_apply_randaugment_names_accepted_operations_and_levels():
    images = images_of(3)
    with pytest.raises(ValueError, match=r"`operation` must be .*'ShearX'.* received 'Blur'"):
        apply_randaugment(images, "Blur", 5)
    with pytest.raises(ValueError, match=r"`level` must be in -10\.\.10, received 11"):
        apply_randaugment(images, "Rotate", 11)

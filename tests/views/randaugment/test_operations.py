"""Every operation against PIL, which FixMatch's authors applied image by image."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from keras_ssl.views.randaugment.operations import apply_randaugment

LEVELS = (-10, -7, -3, 1, 2, 4, 5, 6, 8, 9, 10)


def enhance(kind):
    return lambda image, v: getattr(ImageEnhance, kind)(image).enhance(0.05 + 0.9 * abs(v) / 10)


def affine(matrix):
    def move(image, v):
        return image.transform(image.size, Image.Transform.AFFINE, matrix(0.3 * v / 10, image.size))

    return move


BY_PIL = {
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


def pictures(channels, size=(32, 32)):
    """Noise, a ramp, one color, a narrow range, two values, and blobs as photographs have."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (*size, channels))
    ramp = np.broadcast_to(np.linspace(10, 240, size[1])[None, :, None], noise.shape)
    flat = np.full(noise.shape, 77)
    narrow = random.integers(100, 131, noise.shape)
    binary = np.where(random.random(noise.shape) < 0.3, 0, 255)
    rows, columns = np.mgrid[: size[0], : size[1], :channels][:2]
    blobs = 127 + 120 * np.sin(rows / 5) * np.cos(columns / 7 + np.arange(channels))
    return np.stack([noise, ramp, flat, narrow, binary, blobs]).astype("uint8")


@pytest.mark.parametrize("size", [(32, 32), (17, 40), (8, 8)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", BY_PIL)
def test_every_operation_equals_pil(operation, channels, size):
    images = pictures(channels, size)
    for level in LEVELS:
        ours = 255 * apply_randaugment(images, operation, level).numpy()
        for image, mine in zip(images, ours, strict=True):
            pil = Image.fromarray(image[..., 0] if channels == 1 else image)
            theirs = np.asarray(BY_PIL[operation](pil, level)).reshape(image.shape)
            np.testing.assert_allclose(mine, theirs, atol=1.01, err_msg=f"level {level}")


@pytest.mark.parametrize("operation", BY_PIL)
def test_each_image_has_its_own_level(operation):
    images = pictures(3)
    levels = np.array([-8, -3, 1, 4, 6, 9], "float32")
    together = apply_randaugment(images, operation, levels)
    for index, level in enumerate(levels):
        alone = apply_randaugment(images[index : index + 1], operation, float(level))
        np.testing.assert_array_equal(together[index], alone[0])


@pytest.mark.parametrize("operation", BY_PIL)
def test_no_image_is_no_error(operation):
    assert apply_randaugment(np.zeros((0, 8, 8, 3), "uint8"), operation, 3).shape == (0, 8, 8, 3)


def test_operations_on_tones_leave_alpha_alone_and_moves_take_it_along():
    images = pictures(4)
    for operation in ("AutoContrast", "Equalize", "Contrast", "Sharpness", "Solarize"):
        np.testing.assert_allclose(
            apply_randaugment(images, operation, 9)[..., 3], images[..., 3] / 255
        )
    moved = apply_randaugment(images, "TranslateX", 5)[..., 3]
    np.testing.assert_allclose(moved[:, :, :-4], images[:, :, 4:, 3] / 255)


def test_floats_give_the_same_as_uint8():
    images = pictures(3)
    np.testing.assert_array_equal(
        apply_randaugment(images, "Posterize", 5),
        apply_randaugment((images / 255).astype("float32"), "Posterize", 5),
    )


def test_names_what_is_accepted():
    images = pictures(3)
    with pytest.raises(ValueError, match=r"`operation` must be .*'ShearX'.* received 'Blur'"):
        apply_randaugment(images, "Blur", 5)
    with pytest.raises(ValueError, match=r"`level` must be in -10\.\.10, received 11"):
        apply_randaugment(images, "Rotate", 11)

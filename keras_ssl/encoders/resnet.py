"""ResNet-18, ResNet-34 and ResNet-50, for large and small images."""

import keras
from keras import layers

from keras_ssl.encoders.blocks import (
    CHANNELS_LAST,
    basic_block,
    bottleneck_block,
    conv_norm,
    image_input,
    pooling_encoder,
    relu,
    zero_pad,
)
from keras_ssl.validation import check_choice, check_int

STEMS = ("imagenet", "cifar")


def resnet18(
    input_shape: tuple[int | None, int | None, int], stem: str = "imagenet", width: int = 64
) -> keras.Model:
    """Builds a ResNet-18: 2, 2, 2, 2 basic blocks and 11.2 million parameters.

    It equals torchvision's network layer for layer: zero padding on every side of a strided
    convolution, batch norm with epsilon 1e-5 and a momentum of 0.9, and kernels from a normal
    distribution of variance 2 / fan out. The last batch norm of each block has an initial scale
    of 0, so that blocks start as their shortcuts (Goyal et al. 2017,
    https://arxiv.org/abs/1706.02677, section 5.1). The first step therefore does not change the
    convolutions inside the blocks.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        stem: "imagenet", a 7x7 convolution and a max pool that downsample by 4; or "cifar", a 3x3
            convolution at full resolution, for images below about 64 pixels.
        width: Int > 0, channels of the stem and of the first stage.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1, which it normalizes,
        to features `(B, 8 * width)`, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three, or `width` is not an int.
        ValueError: If an argument is out of range.

    Source:
        He et al. 2016, https://arxiv.org/abs/1512.03385, table 1. The "cifar" stem is that of
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix B.9.
    """
    return _resnet(basic_block, (2, 2, 2, 2), input_shape, stem, width, name="resnet18")


def resnet34(
    input_shape: tuple[int | None, int | None, int], stem: str = "imagenet", width: int = 64
) -> keras.Model:
    """Builds a ResNet-34: 3, 4, 6, 3 basic blocks and 21.3 million parameters.

    Everything else is as in `resnet18`.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        stem: "imagenet" or "cifar".
        width: Int > 0, channels of the stem and of the first stage.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features
        `(B, 8 * width)`, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three, or `width` is not an int.
        ValueError: If an argument is out of range.

    Source:
        He et al. 2016, https://arxiv.org/abs/1512.03385, table 1.
    """
    return _resnet(basic_block, (3, 4, 6, 3), input_shape, stem, width, name="resnet34")


def resnet50(
    input_shape: tuple[int | None, int | None, int], stem: str = "imagenet", width: int = 64
) -> keras.Model:
    """Builds a ResNet-50: 3, 4, 6, 3 bottleneck blocks and 23.5 million parameters.

    The 3x3 convolution of a block has the stride, as in torchvision and most published results. In
    the paper the first 1x1 convolution has it. Everything else is as in `resnet18`.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        stem: "imagenet" or "cifar".
        width: Int > 0, channels of the stem and inside the blocks of the first stage.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features
        `(B, 32 * width)`, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three, or `width` is not an int.
        ValueError: If an argument is out of range.

    Source:
        He et al. 2016, https://arxiv.org/abs/1512.03385, table 1.
    """
    return _resnet(bottleneck_block, (3, 4, 6, 3), input_shape, stem, width, name="resnet50")


def _resnet(block, repeats, input_shape, stem, width, *, name):
    check_choice(STEMS, stem=stem)
    check_int(1, width=width)
    images, x = image_input(input_shape)
    if stem == "cifar":
        x = relu(conv_norm(x, width, 3, name="stem"), name="stem_relu")
    else:
        x = conv_norm(x, width, 7, 2, name="stem")
        x = zero_pad(relu(x, name="stem_relu"), 1, name="stem_pool_pad")
        x = layers.MaxPooling2D(3, 2, data_format=CHANNELS_LAST, name="stem_pool")(x)
    for stage, num_blocks in enumerate(repeats):
        for index in range(num_blocks):
            strides = 2 if stage > 0 and index == 0 else 1
            x = block(
                x,
                width * 2**stage,
                strides,
                gamma="zeros",
                name=f"stage{stage + 1}_block{index + 1}",
            )
    return pooling_encoder(images, x, name=name)

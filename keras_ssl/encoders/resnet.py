"""ResNet-18, 34 and 50, for large and for small images."""

from keras import layers

from keras_ssl.encoders.blocks import (
    CHANNELS_LAST,
    basic_block,
    bottleneck_block,
    conv_norm,
    normalized_input,
    pooled,
    relu,
    zero_pad,
)
from keras_ssl.validation import check_int


def resnet18(input_shape, stem="imagenet", width=64):
    """Builds a ResNet-18: basic blocks 2, 2, 2, 2; 11.2 million parameters.

    As torchvision's, layer for layer: zeros on every side of a strided convolution, batch norm
    with epsilon 1e-5 that keeps 0.9 of its statistics, kernels from a normal distribution of
    variance 2 / fan out. The last batch norm of each block starts with scale 0, so that blocks
    start as their shortcuts (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, 5.1): the
    convolutions inside blocks do not move in the very first step.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        stem: "imagenet", a 7x7 convolution and a max pool that reduce images 4 times; or "cifar",
            a 3x3 convolution that keeps their size, for images below about 64 pixels.
        width: Int > 0, channels of the stem and of the first stage.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 (it normalizes them
        itself) to features `(B, 8 * width)`, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If an argument is not as described.

    Source:
        He et al. 2016, https://arxiv.org/abs/1512.03385, table 1; the "cifar" stem is that of
        Chen et al. 2020, https://arxiv.org/abs/2002.05709, B.9.
    """
    return _resnet(basic_block, (2, 2, 2, 2), input_shape, stem, width, name="resnet18")


def resnet34(input_shape, stem="imagenet", width=64):
    """Builds a ResNet-34: basic blocks 3, 4, 6, 3; 21.3 million parameters.

    All else is as in `resnet18`.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        stem: "imagenet" or "cifar".
        width: Int > 0, channels of the stem and of the first stage.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features
        `(B, 8 * width)`, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If an argument is not as described.

    Source:
        He et al. 2016, https://arxiv.org/abs/1512.03385, table 1.
    """
    return _resnet(basic_block, (3, 4, 6, 3), input_shape, stem, width, name="resnet34")


def resnet50(input_shape, stem="imagenet", width=64):
    """Builds a ResNet-50: bottleneck blocks 3, 4, 6, 3; 23.5 million parameters.

    The 3x3 convolution of a block carries the stride, as in torchvision and in most published
    figures, where the paper's first convolution does. All else is as in `resnet18`.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        stem: "imagenet" or "cifar".
        width: Int > 0, channels of the stem and inside the blocks of the first stage.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 to features
        `(B, 32 * width)`, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If an argument is not as described.

    Source:
        He et al. 2016, https://arxiv.org/abs/1512.03385, table 1.
    """
    return _resnet(bottleneck_block, (3, 4, 6, 3), input_shape, stem, width, name="resnet50")


def _resnet(block, repeats, input_shape, stem, width, *, name):
    if not isinstance(stem, str) or stem not in ("imagenet", "cifar"):
        raise ValueError(f"`stem` must be 'imagenet' or 'cifar', received {stem!r}.")
    check_int(1, width=width)
    images, x = normalized_input(input_shape)
    if stem == "cifar":
        x = relu(conv_norm(x, width, 3, name="stem"), name="stem_relu")
    else:
        x = conv_norm(x, width, 7, 2, name="stem")
        x = zero_pad(relu(x, name="stem_relu"), 1, name="stem_pool_pad")
        x = layers.MaxPooling2D(3, 2, data_format=CHANNELS_LAST, name="stem_pool")(x)
    for stage, count in enumerate(repeats):
        for index in range(count):
            strides = 2 if stage > 0 and index == 0 else 1
            x = block(
                x,
                width * 2**stage,
                strides,
                gamma="zeros",
                name=f"stage{stage + 1}_block{index + 1}",
            )
    return pooled(images, x, name=name)

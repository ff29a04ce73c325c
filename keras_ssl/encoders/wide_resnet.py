"""Wide residual networks, which the semi-supervised papers use."""

import keras
from keras import layers

from keras_ssl.encoders.blocks import batch_norm, conv, image_input, pooling_encoder
from keras_ssl.validation import check_int


def wide_resnet(
    input_shape: tuple[int | None, int | None, int], depth: int = 28, width: int = 2
) -> keras.Model:
    """Builds a wide ResNet, by default WRN-28-2 with 1.5 million parameters.

    Blocks are pre-activated: batch norm and activation come before each convolution. Details are
    those of FixMatch's network: leaky ReLU of slope 0.1, an activated shortcut in the very first
    block only, and a batch norm momentum of 0.999. The moving statistics therefore lag by about
    1,000 steps. In runs below a few thousand steps, `evaluate` uses statistics that are still close
    to their initial values. Unlike FixMatch's network, but as in the paper's code, convolutions
    have no bias and strided ones are padded with zeros on every side.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        depth: Int, 6 n + 4 for n >= 1 blocks in each of the three groups: 10, 16, 22, 28, ...
        width: Int > 0. The groups have 16, 32 and 64 times `width` channels.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1, which it normalizes,
        to features `(B, 64 * width)`, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three, or `depth` or `width` is not
            an int.
        ValueError: If an argument is out of range.

    Source:
        Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, table 1; details of
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, authors' code.
    """
    check_int(1, width=width)
    check_int(10, depth=depth)
    if depth % 6 != 4:
        raise ValueError(
            f"`depth` must be 6 n + 4 for n >= 1 (10, 16, 22, 28, ...), received {depth!r}."
        )
    images, x = image_input(input_shape)
    x = conv(x, 16, 3, name="stem_conv")
    for group in range(3):
        for index in range((depth - 4) // 6):
            strides = 2 if group > 0 and index == 0 else 1
            name = f"group{group + 1}_block{index + 1}"
            is_first = group == 0 and index == 0
            filters = 16 * width * 2**group
            x = _block(x, filters, strides, activate_shortcut=is_first, name=name)
    x = _norm_activation(x, name="out")
    return pooling_encoder(images, x, name=f"wide_resnet_{depth}_{width}")


def _block(x, filters, strides, *, activate_shortcut, name):
    y = _norm_activation(x, name=f"{name}_1")
    if activate_shortcut:
        x = y
    y = conv(y, filters, 3, strides, name=f"{name}_1_conv")
    y = conv(_norm_activation(y, name=f"{name}_2"), filters, 3, name=f"{name}_2_conv")
    if x.shape[-1] != filters:
        x = conv(x, filters, 1, strides, name=f"{name}_shortcut_conv")
    return layers.Add(name=f"{name}_out")([x, y])


def _norm_activation(x, *, name):
    x = batch_norm(x, momentum=0.999, epsilon=1e-3, name=f"{name}_norm")
    return layers.LeakyReLU(0.1, name=f"{name}_activation")(x)

"""Wide residual networks, the networks of the semi-supervised papers."""

from keras import layers

from keras_ssl.encoders.blocks import (
    batch_norm,
    conv,
    normalized_input,
    pooled,
)
from keras_ssl.validation import check_int


def wide_resnet(input_shape, depth=28, width=2):
    """Builds a wide ResNet, WRN-28-2 by default: 1.5 million parameters.

    Blocks are pre-activated: batch norm and activation come before each convolution. Details are
    those of FixMatch's network: leaky ReLU of slope 0.1, only the first block of all activates
    before its shortcut as well, and batch norm keeps 0.999 of its statistics. These trail by
    about 1,000 steps: below a few thousand steps `evaluate` sees them half way from their start.
    Different from there, as in the paper's own code, convolutions have no bias, and strided ones
    have zeros on every side.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        depth: Int, 6 n + 4 with n >= 1 blocks in each of three groups: 10, 16, 22, 28, 34, 40...
        width: Int > 0; the groups have 16, 32 and 64 times `width` channels.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 (it normalizes them
        itself) to features `(B, 64 * width)`, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If an argument is not as described.

    Source:
        Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, table 1; details of
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, authors' code.
    """
    check_int(1, width=width)
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 10 or depth % 6 != 4:
        raise ValueError(
            f"`depth` must be 6 n + 4 with n >= 1 (10, 16, 22, 28, ...), received {depth!r}."
        )
    images, x = normalized_input(input_shape)
    x = conv(x, 16, 3, name="stem_conv")
    for group in range(3):
        for index in range((depth - 4) // 6):
            strides = 2 if group > 0 and index == 0 else 1
            name = f"group{group + 1}_block{index + 1}"
            first = group == 0 and index == 0
            filters = 16 * width * 2**group
            x = _block(x, filters, strides, activate_shortcut=first, name=name)
    return pooled(images, _norm_activation(x, name="out"), name=f"wide_resnet_{depth}_{width}")


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

"""What the residual networks share: their input, their layers and their features."""

import keras
import numpy as np
from keras import layers, ops

# CIFAR-10's training images in 0..1, channel by channel.
RGB_MEAN = (0.4914, 0.4822, 0.4465)
RGB_STD = (0.2470, 0.2435, 0.2616)
GRAY_MEAN = sum(RGB_MEAN) / 3
GRAY_STD = sum(RGB_STD) / 3
# The color channels of an image come last, and stay last whatever Keras's global setting.
CHANNELS_LAST = "channels_last"


def normalized_input(input_shape):
    """Makes the input of an encoder, of any height and width, and normalizes it.

    The input leaves height and width open whatever `input_shape` says, so that one encoder takes
    crops of several sizes. Color images have CIFAR-10's mean and standard deviation removed;
    an alpha channel is brought to -1..1; any other number of channels gets, in each of them, the
    average of the three colors' figures.

    Args:
        input_shape: `(H, W, C)`; H and W are ints or None, C is an int.

    Returns:
        The symbolic input, and the normalized images in `floatx`, both `(B, None, None, C)`.

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If one of the three is not as described, or the channels come first.
    """
    images = keras.Input((None, None, check_input_shape(input_shape)[2]), name="images")
    return images, normalized(images)


def normalized(images):
    """Normalizes images `(B, H, W, C)` in 0..1 as `normalized_input` says."""
    channels = images.shape[-1]
    mean, std = [GRAY_MEAN] * channels, [GRAY_STD] * channels
    if channels in (3, 4):
        mean[:3], std[:3] = RGB_MEAN, RGB_STD
        mean[3:], std[3:] = [0.5] * (channels - 3), [0.5] * (channels - 3)
    return affine(
        images, [1 / each for each in std], [-m / d for m, d in zip(mean, std, strict=True)]
    )


def affine(images, scale, shift):
    """Returns `scale * images + shift`, channel by channel, in the precision of the images.

    Operations rather than `keras.layers.Normalization`, which looks for TensorFlow on every
    backend; they are saved without keras_ssl as well, and no precision policy touches them: a
    pixel has more levels than bfloat16 has digits.

    Args:
        images: Symbolic `(B, H, W, C)`.
        scale: List of C floats.
        shift: List of C floats.
    """
    scale, shift = (
        np.array(n, keras.backend.standardize_dtype(images.dtype)) for n in (scale, shift)
    )
    return ops.add(ops.multiply(images, scale), shift)


def check_heads(width, heads):
    """Raises ValueError unless attention heads divide the width of a token."""
    if width % heads:
        raise ValueError(f"`width` must be a multiple of `heads`; received {width} and {heads}.")


def check_input_shape(input_shape):
    """Returns `input_shape` as a tuple `(H, W, C)`; raises unless it is one."""
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 3:
        raise TypeError(
            f"`input_shape` must be (height, width, channels), received {input_shape!r}."
        )
    height, width, channels = input_shape
    whole = [isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in input_shape]
    if not whole[2] or not all(ok or n is None for ok, n in zip(whole, input_shape, strict=True)):
        raise ValueError(
            "`input_shape` must be (height, width, channels), channels an int above 0, height and "
            f"width likewise or None; received {tuple(input_shape)}."
        )
    if height in (1, 3, 4) and channels > 4:
        raise ValueError(
            f"`input_shape` {tuple(input_shape)} looks like (channels, height, width); the "
            f"channels come last: ({width}, {channels}, {height})."
        )
    return tuple(input_shape)


def conv(x, filters, kernel_size, strides=1, *, name):
    """Convolves without bias, with `(kernel_size - 1) / 2` zeros on every side, as torch does.

    Keras's "same" would put the odd row of zeros of a strided convolution last, by the size of
    the image; JAX could not tell then, where that size is left open, that both branches of a block
    are of one size, nor export them.

    Kernels are drawn from a normal distribution of variance 2 / fan out (He et al. 2015), each
    layer's from a seed of its own that `keras.utils.set_random_seed` determines.

    Args:
        x: Feature maps `(B, H, W, C)`.
        filters: Int, channels that come out.
        kernel_size: Odd int.
        strides: Int.
        name: Name of the layer.

    Returns:
        Feature maps of `filters` channels.
    """
    padding = "same"
    if strides > 1:
        padding = "valid"
        if kernel_size > 1:
            x = zero_pad(x, kernel_size // 2, name=f"{name}_pad")
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        data_format=CHANNELS_LAST,
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, mode="fan_out", distribution="untruncated_normal"
        ),
        name=name,
    )(x)


def zero_pad(x, pixels, *, name):
    """Adds `pixels` rows and columns of zeros on every side."""
    return layers.ZeroPadding2D(pixels, data_format=CHANNELS_LAST, name=name)(x)


def batch_norm(x, *, momentum=0.9, epsilon=1e-5, gamma="ones", name):
    """Batch normalization; `momentum` is the share of the old statistics that stays."""
    return layers.BatchNormalization(
        momentum=momentum, epsilon=epsilon, gamma_initializer=gamma, name=name
    )(x)


def conv_norm(x, filters, kernel_size, strides=1, *, gamma="ones", name):
    """Convolution, then batch normalization whose scale starts as `gamma`."""
    x = conv(x, filters, kernel_size, strides, name=f"{name}_conv")
    return batch_norm(x, gamma=gamma, name=f"{name}_norm")


def relu(x, *, name):
    """Rectifier."""
    return layers.Activation("relu", name=name)(x)


def basic_block(x, filters, strides, *, gamma="ones", name):
    """Two 3x3 convolutions beside a shortcut, He et al. 2016, figure 5 left.

    Args:
        x: Feature maps `(B, H, W, C)`.
        filters: Int, channels that come out.
        strides: Int, of the first convolution and of the shortcut.
        gamma: Initial scale of the last batch norm; "zeros" makes the block start as its shortcut.
        name: Prefix of the layers' names.

    Returns:
        Feature maps of `filters` channels.
    """
    shortcut = _shortcut(x, filters, strides, name=name)
    y = conv_norm(x, filters, 3, strides, name=f"{name}_1")
    y = relu(y, name=f"{name}_1_relu")
    y = conv_norm(y, filters, 3, gamma=gamma, name=f"{name}_2")
    return relu(layers.Add(name=f"{name}_add")([shortcut, y]), name=f"{name}_out")


def bottleneck_block(x, filters, strides, *, gamma="ones", name):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, He et al. 2016, figure 5 right.

    The 3x3 convolution carries the stride, as in torchvision ("ResNet v1.5"), not the first.
    `4 * filters` channels come out; the arguments are those of `basic_block`.
    """
    shortcut = _shortcut(x, 4 * filters, strides, name=name)
    y = relu(conv_norm(x, filters, 1, name=f"{name}_1"), name=f"{name}_1_relu")
    y = conv_norm(y, filters, 3, strides, name=f"{name}_2")
    y = relu(y, name=f"{name}_2_relu")
    y = conv_norm(y, 4 * filters, 1, gamma=gamma, name=f"{name}_3")
    return relu(layers.Add(name=f"{name}_add")([shortcut, y]), name=f"{name}_out")


def _shortcut(x, filters, strides, *, name):
    if strides == 1 and x.shape[-1] == filters:
        return x
    return conv_norm(x, filters, 1, strides, name=f"{name}_shortcut")


def pooled(images, x, *, name):
    """Makes the encoder: averages feature maps over all positions, in `floatx`."""
    features = layers.GlobalAveragePooling2D(
        data_format=CHANNELS_LAST, dtype=keras.config.floatx(), name="features"
    )(x)
    return keras.Model(images, features, name=name)

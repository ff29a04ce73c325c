"""Building blocks of the residual networks: input normalization, convolutions and pooling."""

import keras
import numpy as np
from keras import layers, ops

# Mean and standard deviation of CIFAR-10's training images in 0..1, per channel.
RGB_MEAN = (0.4914, 0.4822, 0.4465)
RGB_STD = (0.2470, 0.2435, 0.2616)
GRAY_MEAN = sum(RGB_MEAN) / 3
GRAY_STD = sum(RGB_STD) / 3
# Images are channels-last in this package, independent of Keras's global setting.
CHANNELS_LAST = "channels_last"


def image_input(input_shape):
    """Makes the symbolic input of an encoder and normalizes it.

    Height and width of the input are unknown for any `input_shape`, so that one encoder
    takes crops of several sizes. Color images are standardized with CIFAR-10's mean and standard
    deviation. An alpha channel is scaled to -1..1. With any other number of channels, each channel
    uses the average of the statistics of the three colors.

    Args:
        input_shape: `(H, W, C)`; H and W are ints or None, C is an int.

    Returns:
        The symbolic input and the normalized images in `floatx`, both `(B, None, None, C)`.

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If one of the three is out of range, or the channels come first.
    """
    images = keras.Input((None, None, check_input_shape(input_shape)[2]), name="images")
    return images, normalize(images)


def normalize(images):
    """Normalizes images `(B, H, W, C)` in 0..1 as `image_input` describes."""
    channels = images.shape[-1]
    mean, std = [GRAY_MEAN] * channels, [GRAY_STD] * channels
    if channels in (3, 4):
        mean[:3], std[:3] = RGB_MEAN, RGB_STD
        mean[3:], std[3:] = [0.5] * (channels - 3), [0.5] * (channels - 3)
    scale = [1 / s for s in std]
    shift = [-m / s for m, s in zip(mean, std, strict=True)]
    return scale_and_shift(images, scale, shift)


def scale_and_shift(images, scale, shift):
    """Returns `scale * images + shift`, channel by channel, in the precision of the images.

    These are operations instead of `keras.layers.Normalization`, which imports TensorFlow on every
    backend. Operations also load without keras_ssl, and no precision policy applies to them:
    bfloat16 cannot represent all levels of a pixel.

    Args:
        images: Symbolic `(B, H, W, C)`.
        scale: List of C floats.
        shift: List of C floats.
    """
    dtype = keras.backend.standardize_dtype(images.dtype)
    return ops.add(ops.multiply(images, np.array(scale, dtype)), np.array(shift, dtype))


def check_heads(width, heads):
    """Raises ValueError unless the number of attention heads divides the width of a token."""
    if width % heads:
        raise ValueError(f"`width` must be a multiple of `heads`, received {width} and {heads}.")


def check_input_shape(input_shape):
    """Returns `input_shape` as a tuple `(H, W, C)`; raises if it is not a valid image shape."""
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 3:
        raise TypeError(
            f"`input_shape` must be (height, width, channels), received {input_shape!r}."
        )
    height, width, channels = input_shape
    if not _is_positive_int(channels) or not all(
        size is None or _is_positive_int(size) for size in (height, width)
    ):
        raise ValueError(
            "`input_shape` must be (height, width, channels): channels an int above 0, height and "
            f"width ints above 0 or None; received {tuple(input_shape)}."
        )
    if height in (1, 3, 4) and channels > 4:
        raise ValueError(
            f"`input_shape` {tuple(input_shape)} looks like (channels, height, width), but the "
            f"channels come last. Pass ({width}, {channels}, {height})."
        )
    return tuple(input_shape)


def _is_positive_int(size):
    return isinstance(size, int) and not isinstance(size, bool) and size > 0


def conv(x, filters, kernel_size, strides=1, *, name):
    """Convolves without bias, with `(kernel_size - 1) / 2` zeros on every side, as PyTorch does.

    For a strided convolution, Keras's "same" padding depends on the size of the image. If that
    size is unknown, JAX can neither prove that both branches of a block have the same size nor
    export the network.

    Kernels are drawn from a normal distribution of variance 2 / fan out (He et al. 2015). Each
    layer has its own seed, which `keras.utils.set_random_seed` determines.

    Args:
        x: Feature maps `(B, H, W, C)`.
        filters: Int, number of output channels.
        kernel_size: Odd int.
        strides: Int.
        name: Name of the layer.

    Returns:
        Feature maps with `filters` channels.
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
    """Batch normalization; `momentum` is the weight of the old moving statistics."""
    return layers.BatchNormalization(
        momentum=momentum, epsilon=epsilon, gamma_initializer=gamma, name=name
    )(x)


def conv_norm(x, filters, kernel_size, strides=1, *, gamma="ones", name):
    """Convolution, then batch normalization with initial scale `gamma`."""
    x = conv(x, filters, kernel_size, strides, name=f"{name}_conv")
    return batch_norm(x, gamma=gamma, name=f"{name}_norm")


def relu(x, *, name):
    """Rectified linear unit."""
    return layers.Activation("relu", name=name)(x)


def basic_block(x, filters, strides, *, gamma="ones", name):
    """Two 3x3 convolutions with a shortcut: He et al. 2016, figure 5 left.

    Args:
        x: Feature maps `(B, H, W, C)`.
        filters: Int, number of output channels.
        strides: Int, strides of the first convolution and of the shortcut.
        gamma: Initial scale of the last batch norm. With "zeros" the block starts as its shortcut.
        name: Prefix of the layers' names.

    Returns:
        Feature maps with `filters` channels.
    """
    shortcut = _shortcut(x, filters, strides, name=name)
    y = conv_norm(x, filters, 3, strides, name=f"{name}_1")
    y = relu(y, name=f"{name}_1_relu")
    y = conv_norm(y, filters, 3, gamma=gamma, name=f"{name}_2")
    return relu(layers.Add(name=f"{name}_add")([shortcut, y]), name=f"{name}_out")


def bottleneck_block(x, filters, strides, *, gamma="ones", name):
    """1x1, 3x3 and 1x1 convolutions with a shortcut: He et al. 2016, figure 5 right.

    The 3x3 convolution has the stride, as in torchvision ("ResNet v1.5"), not the first one.
    Arguments are those of `basic_block`; the output has `4 * filters` channels.
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


def pooling_encoder(images, x, *, name):
    """Makes the encoder from images to the average of feature maps `x` over all positions.

    Features are in `floatx` under any precision policy.
    """
    features = layers.GlobalAveragePooling2D(
        data_format=CHANNELS_LAST, dtype=keras.config.floatx(), name="features"
    )(x)
    return keras.Model(images, features, name=name)

"""A ResNet small enough to train on a CPU."""

from keras_ssl.encoders.blocks import (
    basic_block,
    conv_norm,
    normalized_input,
    pooled,
    relu,
)
from keras_ssl.validation import check_int


def small_resnet(input_shape, width=16):
    """Builds a ResNet of 7 layers for small images on a CPU.

    A 3x3 convolution of `width` channels at full size, then three basic blocks of 2, 4 and 8
    times `width`, each at half the size of the one before: 32 pixels become 32, 16, 8 and 4;
    8 pixels 8, 4, 2 and 1. No block stands at full size, where it would cost as much time as
    all others together. Multiples of 16 suit `width` best: vector instructions take 16 channels
    at once. About 0.3 million parameters at `width` 16.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        width: Int > 0.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1 (it normalizes them
        itself) to features `(B, 8 * width)`, float32 whatever the precision policy (`floatx`).

    Raises:
        TypeError: If `input_shape` is not a sequence of three.
        ValueError: If `input_shape` or `width` is not as described.

    Source:
        Blocks of He et al. 2016, https://arxiv.org/abs/1512.03385; the arrangement is our own.
    """
    check_int(1, width=width)
    images, x = normalized_input(input_shape)
    x = relu(conv_norm(x, width, 3, name="stem"), name="stem_relu")
    for stage in (1, 2, 3):
        x = basic_block(x, width * 2**stage, 2, name=f"stage{stage}")
    return pooled(images, x, name="small_resnet")

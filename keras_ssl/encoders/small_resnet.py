"""A ResNet that is small enough to train on a CPU."""

import keras

from keras_ssl.encoders.blocks import basic_block, conv_norm, image_input, pooling_encoder, relu
from keras_ssl.validation import check_int


def small_resnet(input_shape: tuple[int | None, int | None, int], width: int = 16) -> keras.Model:
    """Builds a 7-layer ResNet for small images on a CPU: 0.3 million parameters at width 16.

    A 3x3 convolution with `width` channels at full resolution is followed by three basic blocks
    with 2, 4 and 8 times `width` channels. Each block halves the resolution: 32 pixels become 32,
    16, 8 and 4, and 8 pixels become 8, 4, 2 and 1. There is no block at full resolution, because
    it would take as long as all the others together. Choose a multiple of 16 for `width`, since
    vector instructions process 16 channels at once.

    Args:
        input_shape: `(H, W, C)`. Only C is fixed: the network takes images of any size.
        width: Int > 0.

    Returns:
        A functional `keras.Model` from float images `(B, H, W, C)` in 0..1, which it normalizes,
        to features `(B, 8 * width)`, in float32 (`floatx`) under any precision policy.

    Raises:
        TypeError: If `input_shape` is not a sequence of three, or `width` is not an int.
        ValueError: If `input_shape` or `width` is out of range.

    Source:
        Blocks of He et al. 2016, https://arxiv.org/abs/1512.03385. Their arrangement is our own.
    """
    check_int(1, width=width)
    images, x = image_input(input_shape)
    x = relu(conv_norm(x, width, 3, name="stem"), name="stem_relu")
    for stage in (1, 2, 3):
        x = basic_block(x, width * 2**stage, 2, name=f"stage{stage}")
    return pooling_encoder(images, x, name="small_resnet")

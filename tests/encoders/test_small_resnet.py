import numpy_layers as reference
import pytest

from keras_ssl.encoders import small_resnet


@pytest.mark.parametrize(("channels", "width"), [(3, 16), (1, 8)])
def test_has_the_parameters_of_its_seven_layers(channels, width):
    def conv_norm(size, inputs, outputs):
        return size**2 * inputs * outputs + 2 * outputs

    expected = conv_norm(3, channels, width)
    for wide in (2 * width, 4 * width, 8 * width):
        narrow = wide // 2
        expected += conv_norm(3, narrow, wide) + conv_norm(3, wide, wide)
        expected += conv_norm(1, narrow, wide)
    encoder = small_resnet((32, 32, channels), width=width)
    assert reference.count(encoder) == expected
    assert encoder.output_shape == (None, 8 * width)


def test_halves_images_three_times():
    encoder = small_resnet((32, 32, 3), width=4)
    names = ["stem_relu", "stage1_out", "stage2_out", "stage3_out"]
    assert reference.layer_sizes(encoder, names, 32) == [32, 16, 8, 4]
    assert reference.layer_sizes(encoder, names, 8) == [8, 4, 2, 1]


@pytest.mark.parametrize("width", [0, -4, 16.0, "16", True])
def test_names_a_bad_width(width):
    with pytest.raises(ValueError, match="`width` must be an int above 0, received"):
        small_resnet((32, 32, 3), width=width)

import numpy_layers as reference
import pytest

from keras_ssl.encoders import small_resnet


@pytest.mark.parametrize(("channels", "width"), [(3, 16), (1, 8)])
def test_small_resnet_has_the_parameters_of_its_seven_layers(channels, width):
    def conv_norm(size, inputs, outputs):
        return size**2 * inputs * outputs + 2 * outputs

    expected = conv_norm(3, channels, width)
    for filters in (2 * width, 4 * width, 8 * width):
        expected += conv_norm(3, filters // 2, filters) + conv_norm(3, filters, filters)
        expected += conv_norm(1, filters // 2, filters)
    encoder = small_resnet((32, 32, channels), width=width)
    assert reference.count(encoder) == expected
    assert encoder.output_shape == (None, 8 * width)


def test_small_resnet_halves_images_three_times():
    encoder = small_resnet((32, 32, 3), width=4)
    names = ["stem_relu", "stage1_out", "stage2_out", "stage3_out"]
    assert reference.layer_sizes(encoder, names, 32) == [32, 16, 8, 4]
    assert reference.layer_sizes(encoder, names, 8) == [8, 4, 2, 1]


@pytest.mark.parametrize("width", [0, -4, 16.0, "16", True])
def test_small_resnet_rejects_a_bad_width(width):
    message = r"`width` must be (an int|at least 1), received"
    with pytest.raises((TypeError, ValueError), match=message):
        small_resnet((32, 32, 3), width=width)

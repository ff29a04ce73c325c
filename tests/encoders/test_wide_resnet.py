import numpy as np
import numpy_layers as reference
import pytest

from keras_ssl.encoders import wide_resnet


def test_wrn_28_2_has_one_and_a_half_million_parameters():
    encoder = wide_resnet((32, 32, 3))
    # Oliver et al. 2018, https://arxiv.org/abs/1804.09170, report 1.5 million, including a
    # classifier of ten classes. Ports of FixMatch to PyTorch print 1.47.
    assert (reference.count(encoder) + (128 + 1) * 10) / 1e6 == pytest.approx(1.47, abs=0.005)
    assert encoder.output_shape == (None, 128)


@pytest.mark.parametrize(("depth", "width", "millions"), [(16, 8, 11.0), (40, 4, 8.9)])
def test_wide_resnet_has_the_parameters_of_the_papers_table(depth, width, millions):
    encoder = wide_resnet((32, 32, 3), depth, width)  # Zagoruyko & Komodakis 2016, table 5
    assert (reference.count(encoder) + 64 * width * 10 + 10) / 1e6 == pytest.approx(
        millions, abs=0.06
    )


def test_wide_resnet_halves_images_twice():
    encoder = wide_resnet((32, 32, 3), depth=16, width=1)
    names = ["stem_conv", "group1_block2_out", "group2_block2_out", "group3_block2_out"]
    assert reference.layer_sizes(encoder, names, 32) == [32, 32, 16, 8]


def fixmatch(x, encoder, groups, blocks):
    """`ResNet.classifier` of libml/models.py, https://github.com/google-research/fixmatch, with
    the padding of https://github.com/szagoruyko/wide-residual-networks."""

    def conv(x, name, strides=1):
        return reference.conv(x, encoder, name, strides)

    def norm_relu(x, name):
        return reference.relu(reference.norm(x, encoder, f"{name}_norm", epsilon=1e-3), slope=0.1)

    x = conv((x - reference.RGB_MEAN) / reference.RGB_STD, "stem_conv")
    for group in range(1, groups + 1):
        for block in range(1, blocks + 1):
            name = f"group{group}_block{block}"
            strides = 2 if group > 1 and block == 1 else 1
            y = norm_relu(x, f"{name}_1")
            if group == block == 1:
                x = y
            y = conv(y, f"{name}_1_conv", strides)
            y = conv(norm_relu(y, f"{name}_2"), f"{name}_2_conv")
            if x.shape[-1] != y.shape[-1]:
                x = conv(x, f"{name}_shortcut_conv", strides)
            x = x + y
    return norm_relu(x, "out").mean(axis=(1, 2))


def test_wide_resnet_computes_the_same_features_as_fixmatchs_code(rng):
    encoder = wide_resnet((16, 16, 3), depth=16, width=2)
    reference.randomize(encoder)
    images = rng.random((2, 16, 16, 3), "float32")
    expected = fixmatch(images, encoder, groups=3, blocks=2)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(np.asarray(encoder(images)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 27}, r"`depth` must be 6 n \+ 4 .* received 27"),
        ({"depth": 4}, "`depth` must be at least 10, received 4"),
        ({"depth": 28.0}, r"`depth` must be an int, received 28\.0"),
        ({"width": 0}, "`width` must be at least 1, received 0"),
    ],
)
def test_wide_resnet_rejects_a_bad_argument(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        wide_resnet((32, 32, 3), **arguments)

import numpy as np
import numpy_layers as reference
import pytest
from numpy_layers import conv, norm, relu

from keras_ssl.encoders import resnet18, resnet34, resnet50

# Parameters of torchvision's networks, including the final classifier (512 or 2048 features to
# 1,000 classes): https://pytorch.org/vision/stable/models/resnet.html
PUBLISHED = {
    resnet18: (11_689_512, 512),
    resnet34: (21_797_672, 512),
    resnet50: (25_557_032, 2048),
}
BLOCKS = {resnet18: (2, 2, 2, 2), resnet34: (3, 4, 6, 3), resnet50: (3, 4, 6, 3)}


@pytest.mark.parametrize("network", PUBLISHED)
def test_resnet_has_as_many_parameters_as_torchvisions(network):
    total, features = PUBLISHED[network]
    encoder = network((224, 224, 3))
    assert reference.count(encoder) == total - (features + 1) * 1000
    assert encoder.output_shape == (None, features)


def test_cifar_stem_differs_in_its_kernel_only():
    counts = [
        reference.count(resnet18((32, 32, 3), stem, width=8)) for stem in ("imagenet", "cifar")
    ]
    assert counts[0] - counts[1] == (7 * 7 - 3 * 3) * 3 * 8


@pytest.mark.parametrize(
    ("stem", "size", "expected"),
    [
        ("imagenet", 224, [112, 56, 56, 28, 14, 7]),  # He et al. 2016, table 1
        ("imagenet", 97, [49, 25, 25, 13, 7, 4]),  # torch's floor((n + 2 pad - kernel) / 2) + 1
        ("cifar", 32, [32, 32, 16, 8, 4]),
        ("cifar", 17, [17, 17, 9, 5, 3]),
    ],
)
@pytest.mark.parametrize("network", PUBLISHED)
def test_resnet_feature_maps_have_the_sizes_of_the_paper(network, stem, size, expected):
    names = ["stem_relu", "stem_pool"] if stem == "imagenet" else ["stem_relu"]
    names += [f"stage{i + 1}_block{count}_out" for i, count in enumerate(BLOCKS[network])]
    encoder = network((size, size, 3), stem, width=1)
    assert reference.layer_sizes(encoder, names, size) == expected


def basic(x, encoder, name, strides):
    y = relu(norm(conv(x, encoder, f"{name}_1_conv", strides), encoder, f"{name}_1_norm"))
    return norm(conv(y, encoder, f"{name}_2_conv"), encoder, f"{name}_2_norm")


def bottleneck(x, encoder, name, strides):
    y = relu(norm(conv(x, encoder, f"{name}_1_conv"), encoder, f"{name}_1_norm"))
    y = relu(norm(conv(y, encoder, f"{name}_2_conv", strides), encoder, f"{name}_2_norm"))
    return norm(conv(y, encoder, f"{name}_3_conv"), encoder, f"{name}_3_norm")


def torchvision(x, encoder, block, repeats, stem):
    """torchvision/models/resnet.py, `ResNet._forward_impl` and the blocks' `forward`."""
    x = (x - reference.RGB_MEAN) / reference.RGB_STD
    x = conv(x, encoder, "stem_conv", 2 if stem == "imagenet" else 1)
    x = relu(norm(x, encoder, "stem_norm"))
    if stem == "imagenet":
        x = reference.max_pool(x)
    for stage, count in enumerate(repeats):
        for index in range(count):
            name = f"stage{stage + 1}_block{index + 1}"
            strides = 2 if stage > 0 and index == 0 else 1
            y = block(x, encoder, name, strides)
            if y.shape != x.shape:
                x = conv(x, encoder, f"{name}_shortcut_conv", strides)
                x = norm(x, encoder, f"{name}_shortcut_norm")
            x = relu(x + y)
    return x.mean(axis=(1, 2))


@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
@pytest.mark.parametrize(("network", "block"), [(resnet18, basic), (resnet50, bottleneck)])
def test_resnet_computes_the_same_features_as_torchvisions_code(network, block, stem, rng):
    encoder = network((33, 40, 3), stem, width=2)
    reference.randomize(encoder)
    images = rng.random((2, 33, 40, 3), "float32")
    expected = torchvision(images, encoder, block, BLOCKS[network], stem)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(np.asarray(encoder(images)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stem": "small"}, r"`stem` must be one of \('imagenet', 'cifar'\), received 'small'"),
        ({"width": 0}, "`width` must be at least 1, received 0"),
        ({"width": 1.5}, r"`width` must be an int, received 1\.5"),
    ],
)
def test_resnet_rejects_a_bad_argument(arguments, message):
    for network in PUBLISHED:
        with pytest.raises((TypeError, ValueError), match=message):
            network((32, 32, 3), **arguments)

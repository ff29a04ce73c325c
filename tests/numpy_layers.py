"""Layers in NumPy: references for the networks of `keras_ssl.encoders`."""

import numpy as np

RGB_MEAN = np.array([0.4914, 0.4822, 0.4465])
RGB_STD = np.array([0.2470, 0.2435, 0.2616])


def randomize(encoder, seed=0):
    """Draws every weight, including the statistics and scales of batch norm."""
    rng = np.random.default_rng(seed)
    for weight in encoder.weights:
        if weight.path.startswith("normalize") or "normalization" in weight.path:
            continue
        if len(weight.shape) > 1:
            value = rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
        elif weight.path.endswith(("gamma", "variance")):
            value = rng.uniform(0.5, 1.5, weight.shape)
        else:
            value = rng.normal(0, 0.1, weight.shape)
        weight.assign(value)


def conv(x, encoder, name, strides=1):
    """Returns the cross-correlation with the kernel of layer `name`, zero padded by `size // 2`."""
    kernel = np.asarray(encoder.get_layer(name).kernel)
    size = kernel.shape[0]
    pad = (size // 2, size // 2)
    x = np.pad(x, ((0, 0), pad, pad, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return np.einsum("bhwcij,ijcd->bhwd", windows[:, ::strides, ::strides], kernel)


def norm(x, encoder, name, epsilon=1e-5):
    """Returns the batch norm of layer `name` with its moving statistics."""
    layer = encoder.get_layer(name)
    gamma, beta, mean, variance = (
        np.asarray(w) for w in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def relu(x, slope=0.0):
    """Returns the leaky rectifier with a slope below 0."""
    return np.where(x > 0, x, slope * x)


def max_pool(x, size=3, strides=2):
    """Returns max pooling, padded by `size // 2` pixels of minus infinity."""
    pad = (size // 2, size // 2)
    x = np.pad(x, ((0, 0), pad, pad, (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::strides, ::strides].max(axis=(-2, -1))


def count(encoder):
    """Returns the number of trainable parameters."""
    return sum(int(np.prod(weight.shape)) for weight in encoder.trainable_weights)


def layer_sizes(encoder, names, size):
    """Returns the heights of the outputs of layers `names` for square images of `size` pixels."""
    import keras

    maps = keras.Model(encoder.input, [encoder.get_layer(name).output for name in names])
    images = keras.KerasTensor((None, size, size, encoder.input_shape[-1]))
    specs = maps.compute_output_spec(images)
    assert all(spec.shape[1] == spec.shape[2] for spec in specs)
    return [spec.shape[1] for spec in specs]

import math

import keras
import numpy as np
import pytest

from keras_ssl import layers


def layer_types(head):
    return [type(layer).__name__ for layer in head.layers]


def test_projection_head_is_dense_layers_with_relu_and_a_linear_end(rng):
    head = layers.projection_head((6, 5, 4), 3)
    head.set_weights([rng.normal(size=weight.shape) for weight in head.weights])
    assert [weight.shape[-1] for weight in head.weights] == [6, 6, 5, 5, 4, 4]
    x = rng.normal(size=(7, 3)).astype("float32")
    w1, b1, w2, b2, w3, b3 = head.get_weights()
    expected = np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0) @ w3 + b3
    assert expected.min() < 0
    np.testing.assert_allclose(np.asarray(head(x)), expected, rtol=1e-4, atol=1e-5)
    assert head.output_shape == (None, 4)


def test_projection_head_of_one_width_is_one_linear_layer():
    assert layer_types(layers.projection_head((4,), 3)) == ["Dense"]
    assert layer_types(layers.projection_head([8, 4], 3)) == ["Dense", "Activation", "Dense"]


def test_projection_head_replaces_biases_by_batch_norm_except_in_the_last_layer():
    head = layers.projection_head((8, 8, 4), 3, batch_norm=True)
    hidden = ["Dense", "BatchNormalization", "Activation"]
    assert layer_types(head) == [*hidden, *hidden, "Dense"]
    dense = [layer for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.use_bias for layer in dense] == [False, False, True]
    x = np.random.default_rng(0).normal(3, 2, (256, 3)).astype("float32")
    inside = keras.Sequential(head.layers[:2])(x, training=True)
    np.testing.assert_allclose(np.mean(inside, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(inside, axis=0), 1, rtol=1e-2)


def test_projection_head_builds_a_given_layer_once_and_returns_it():
    dense = keras.layers.Dense(4)
    assert layers.projection_head(dense, 3) is dense
    assert dense.kernel.shape == (3, 4)
    kernel = np.asarray(dense.kernel)
    assert layers.projection_head(dense, 3) is dense
    np.testing.assert_array_equal(np.asarray(dense.kernel), kernel)
    sequence = keras.Sequential([keras.layers.Dense(5), keras.layers.Dense(4)])
    assert layers.projection_head(sequence, 3)(np.zeros((2, 3), "float32")).shape == (2, 4)


def test_projection_head_has_the_given_name():
    assert layers.projection_head((4,), 3).name == "projector"
    assert layers.projection_head((4,), 3, name="predictor").name == "predictor"


@pytest.mark.parametrize(
    ("widths", "error", "message"),
    [
        ("128", TypeError, "`predictor` must be a tuple of widths .* received '128'"),
        (128, TypeError, "received 128"),
        (None, TypeError, "received None"),
        ((8.0, 4), TypeError, r"received \(8\.0, 4\)"),
        ((8, True), TypeError, r"received \(8, True\)"),
        ((), ValueError, r"`predictor` needs at least one width, .* above 0, received \(\)"),
        ((8, -4), ValueError, r"received \(8, -4\)"),
    ],
)
def test_projection_head_rejects_bad_widths(widths, error, message):
    with pytest.raises(error, match=message):
        layers.projection_head(widths, 3, name="predictor")


def test_final_batch_norm_follows_the_last_dense_layer_with_or_without_scale():
    no_affine = layers.projection_head((8, 4), 3, batch_norm=True, final_batch_norm="no_affine")
    affine = layers.projection_head((8, 4), 3, final_batch_norm="affine")
    assert layer_types(affine) == ["Dense", "Activation", "Dense", "BatchNormalization"]
    assert not no_affine.layers[-2].use_bias
    assert not no_affine.layers[-1].trainable_weights
    assert [weight.name for weight in affine.layers[-1].trainable_weights] == ["gamma", "beta"]


def test_projection_head_uses_the_given_activation(rng):
    head = layers.projection_head((6, 4), 3, activation=layers.gelu)
    head.set_weights([rng.normal(size=weight.shape) for weight in head.weights])
    x = rng.normal(size=(7, 3)).astype("float32")
    w1, b1, w2, b2 = head.get_weights()
    hidden = x @ w1 + b1
    hidden *= [[(1 + math.erf(value / math.sqrt(2))) / 2 for value in row] for row in hidden]
    np.testing.assert_allclose(np.asarray(head(x)), hidden @ w2 + b2, rtol=1e-4, atol=1e-5)


def test_prediction_head_has_the_papers_width_unless_widths_are_given():
    default = layers.prediction_head(None, 4, hidden=9)
    assert [weight.shape for weight in default.layers[0].weights] == [(4, 9)]
    head = layers.prediction_head((7, 4), 4, hidden=9)
    assert layer_types(head) == ["Dense", "BatchNormalization", "Activation", "Dense"]
    assert head.output_shape == (None, 4)
    with pytest.raises(ValueError, match="`predictor` must return the projector's width, 4"):
        layers.prediction_head((7, 5), 4, hidden=9)


def test_output_dim_is_the_width_of_a_heads_output():
    assert layers.output_dim(layers.projection_head((8, 4), 3), 3) == 4
    assert layers.output_dim(layers.projection_head(keras.layers.Identity(), 3), 3) == 3


def test_prototypes_score_rows_by_their_cosine(rng):
    layer = layers.prototype_head(5, 3)
    np.testing.assert_allclose(np.linalg.norm(layer.kernel, axis=0), 1, rtol=1e-6)
    layer.kernel.assign(rng.normal(size=(3, 5)))
    rows, kernel = rng.normal(size=(7, 3)).astype("float32"), np.array(layer.kernel)
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(layer(rows), rows @ kernel / lengths, rtol=1e-4, atol=1e-6)
    layer.normalize()
    np.testing.assert_allclose(layer.kernel, kernel / np.linalg.norm(kernel, axis=0), rtol=1e-5)


def test_prototypes_compute_in_float32_under_half_precision_and_round_trip_their_config():
    keras.config.set_dtype_policy("mixed_float16")
    layer = layers.prototype_head(5, 3)
    assert layer(np.ones((2, 3), "float16")).dtype == "float32"
    copy = layers.Prototypes.from_config(layer.get_config())
    assert (copy.count, copy.name, copy.compute_dtype) == (5, "prototypes", "float32")
    assert layer.compute_output_shape((None, 3)) == (None, 5)


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (1, ValueError, "`prototypes` must be at least 2, received 1"),
        (True, TypeError, "`prototypes` must be an int or a keras layer, received True"),
        (3.0, TypeError, "received 3.0"),
        ((8, 4), TypeError, r"received \(8, 4\)"),
    ],
)
def test_prototype_head_rejects_a_bad_count(count, error, message):
    with pytest.raises(error, match=message):
        layers.prototype_head(count, 3)


@pytest.mark.parametrize("final_batch_norm", ["scaled", True, 1])
def test_projection_head_rejects_an_unknown_final_batch_norm(final_batch_norm):
    with pytest.raises((TypeError, ValueError), match="`final_batch_norm` must be one of"):
        layers.projection_head((4,), 3, final_batch_norm=final_batch_norm)

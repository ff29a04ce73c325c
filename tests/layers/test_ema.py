import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssl.layers import ema


@keras.saving.register_keras_serializable("tests")
class Nameless(keras.Model):
    """An encoder whose config has no `name`."""

    def __init__(self, width=4):
        super().__init__()
        self.width = width
        self.dense = layers.Dense(width)
        self.norm = layers.BatchNormalization()

    def call(self, images, training=False):
        return self.norm(self.dense(ops.mean(images, axis=(1, 2))), training=training)

    def get_config(self):
        return {"width": self.width}


@keras.saving.register_keras_serializable("tests")
class Named(Nameless):
    """An encoder with the config that Keras documents."""

    def __init__(self, width=4, **kwargs):
        keras.Model.__init__(self, **kwargs)
        self.width = width
        self.dense = layers.Dense(width)
        self.norm = layers.BatchNormalization()

    def get_config(self):
        return {**keras.Model.get_config(self), "width": self.width}


def network():
    """Two pairs of convolution and batch norm; the first pair is frozen."""
    images = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm_1")(layers.Conv2D(4, 3, name="conv_1")(images))
    x = layers.BatchNormalization(name="norm_2")(layers.Conv2D(5, 3, name="conv_2")(x))
    model = keras.Model(images, layers.GlobalAveragePooling2D()(x), name="encoder")
    model.get_layer("conv_1").trainable = model.get_layer("norm_1").trainable = False
    return model


def shift(layer):
    """Adds 1 to every weight of a layer."""
    layer.set_weights([weight + 1 for weight in layer.get_weights()])


@pytest.mark.parametrize("kind", [Nameless, Named])
def test_make_ema_copy_copies_a_subclassed_encoder(kind, rng):
    encoder, images = kind(width=5), rng.random((4, 8, 8, 3), dtype="float32")
    encoder(images)
    encoder.dense.set_weights([rng.normal(size=w.shape) for w in encoder.dense.get_weights()])
    copy = ema.make_ema_copy(encoder)
    assert type(copy) is kind
    np.testing.assert_array_equal(copy(images), encoder(images))


def test_ema_copy_shares_no_weight_and_trains_none():
    encoder = network()
    copy = ema.make_ema_copy(encoder)
    assert copy.name == "momentum_encoder"
    assert not copy.trainable_weights
    assert len(encoder.trainable_weights) == 4
    shift(encoder)
    for old, new in zip(copy.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old + 1, new)


def test_ema_copy_keeps_statistics_of_frozen_layers_and_updates_the_others(rng):
    copy = ema.make_ema_copy(network())
    copy(rng.random((4, 8, 8, 3), dtype="float32"), training=True)
    assert not np.any(copy.get_layer("norm_1").moving_mean)
    assert np.all(np.asarray(copy.get_layer("norm_2").moving_mean) != 0)


def test_ema_update_moves_trained_weights_only():
    encoder = network()
    copy = ema.make_ema_copy(encoder)
    before = [np.array(weight) for weight in copy.weights]
    shift(encoder)
    ema.ema_update(copy, encoder, 0.75)
    steps = {
        weight.path: np.asarray(new) - old
        for new, old, weight in zip(copy.weights, before, encoder.weights, strict=True)
    }
    trained = {"conv_2/kernel", "conv_2/bias", "norm_2/gamma", "norm_2/beta"}
    for path, step in steps.items():
        np.testing.assert_allclose(step, 0.25 if path in trained else 0.0, atol=1e-6, err_msg=path)


def test_make_ema_copy_copies_a_single_layer(rng):
    head = layers.Dense(3, name="head")
    head.build((None, 4))
    copy = ema.make_ema_copy(head)
    rows = rng.random((2, 4), dtype="float32")
    np.testing.assert_array_equal(copy(rows), head(rows))


def test_freeze_keeps_batch_norm_on_the_statistics_of_the_batch(rng):
    norm = layers.BatchNormalization()
    norm.build((None, 3))
    ema.freeze(norm)
    assert not norm.trainable_weights
    rows = rng.normal(5, 2, (64, 3)).astype("float32")
    np.testing.assert_allclose(np.mean(norm(rows, training=True), axis=0), 0, atol=1e-4)

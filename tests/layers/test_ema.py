import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_ssl.layers import ema


@keras.saving.register_keras_serializable("tests")
class Nameless(keras.Model):
    """An encoder whose config holds its own argument alone."""

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
    """As keras.Model would have it."""

    def __init__(self, width=4, **kwargs):
        keras.Model.__init__(self, **kwargs)
        self.width = width
        self.dense = layers.Dense(width)
        self.norm = layers.BatchNormalization()

    def get_config(self):
        return {**keras.Model.get_config(self), "width": self.width}


def network():
    """Convolution and batch norm twice, of which the first pair is frozen."""
    images = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="norm_1")(layers.Conv2D(4, 3, name="conv_1")(images))
    x = layers.BatchNormalization(name="norm_2")(layers.Conv2D(5, 3, name="conv_2")(x))
    model = keras.Model(images, layers.GlobalAveragePooling2D()(x), name="encoder")
    model.get_layer("conv_1").trainable = model.get_layer("norm_1").trainable = False
    return model


def shift(layer):
    """Moves every weight of a layer by 1."""
    layer.set_weights([weight + 1 for weight in layer.get_weights()])


@pytest.mark.parametrize("kind", [Nameless, Named])
def test_copies_an_own_subclassed_encoder(kind, rng):
    encoder, images = kind(width=5), rng.random((4, 8, 8, 3), dtype="float32")
    encoder(images)
    encoder.dense.set_weights([rng.normal(size=w.shape) for w in encoder.dense.get_weights()])
    copy = ema.make_ema_copy(encoder)
    assert type(copy) is kind
    np.testing.assert_array_equal(copy(images), encoder(images))


def test_a_copy_shares_no_weight_and_trains_none():
    encoder = network()
    copy = ema.make_ema_copy(encoder)
    assert copy.name == "momentum_encoder"
    assert not copy.trainable_weights
    assert len(encoder.trainable_weights) == 4
    shift(encoder)
    for old, new in zip(copy.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old + 1, new)


def test_a_copys_frozen_layers_keep_their_statistics_and_the_others_see_the_batch(rng):
    copy = ema.make_ema_copy(network())
    copy(rng.random((4, 8, 8, 3), dtype="float32"), training=True)
    assert not np.any(copy.get_layer("norm_1").moving_mean)
    assert np.all(np.asarray(copy.get_layer("norm_2").moving_mean) != 0)


def test_an_update_moves_what_is_trained_and_nothing_else():
    encoder = network()
    copy = ema.make_ema_copy(encoder)
    before = [np.array(weight) for weight in copy.weights]
    shift(encoder)
    ema.ema_update(copy, encoder, 0.75)
    moved = {
        own.path: np.asarray(new) - old
        for new, old, own in zip(copy.weights, before, encoder.weights, strict=True)
    }
    trained = {"conv_2/kernel", "conv_2/bias", "norm_2/gamma", "norm_2/beta"}
    for path, step in moved.items():
        np.testing.assert_allclose(step, 0.25 if path in trained else 0.0, atol=1e-6, err_msg=path)


def test_a_head_without_batch_norm_is_copied_too(rng):
    head = layers.Dense(3, name="head")
    head.build((None, 4))
    copy = ema.make_ema_copy(head)
    rows = rng.random((2, 4), dtype="float32")
    np.testing.assert_array_equal(copy(rows), head(rows))

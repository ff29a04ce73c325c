"""The statistics that a training step computes, on each backend."""

import keras
import numpy as np
import pytest

import keras_ssl

VIEWS = tuple(np.random.default_rng(7).random((2, 16, 12, 12, 3), "float32"))


@pytest.mark.parametrize("axis", [-1, 1], ids=["channels", "rows"])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_moving_statistics_are_those_of_the_images(axis, offset):
    norm = keras.layers.BatchNormalization(axis=axis, momentum=0.0)
    images = keras.Input((12, 12, 3))
    pixels = keras.layers.Rescaling(1.0, offset)(images)
    encoder = keras.Model(images, keras.layers.GlobalMaxPooling2D()(norm(pixels)))
    model = keras_ssl.SimCLR(encoder, projector=(8,))
    model.compile("sgd")
    model.fit(VIEWS, batch_size=16, shuffle=False, verbose=0)
    axes = tuple(i for i in range(4) if i != axis % 4)
    last = VIEWS[1].astype("float64") + offset  # the last view to run
    mean, variance = (keras.ops.convert_to_numpy(x) for x in norm.non_trainable_variables)
    np.testing.assert_allclose(mean, last.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(variance, last.var(axes), rtol=0.01 if offset else 1e-5)

"""From views to projections: views of one size pass together; crops that do not fit are resized."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
import tensorflow as tf

import keras_ssl


def normalizing(size=None):
    """An encoder that ends in batch norm: its features show what it saw together."""
    images = keras.Input((size, size, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    return keras.Model(images, keras.layers.BatchNormalization(epsilon=1e-6)(x), name="encoder")


def swav(encoder, **kwargs):
    return keras_ssl.SwAV(encoder, projector=(8,), prototypes=6, **kwargs)


@pytest.mark.parametrize("momentum", [False, True])
def test_views_together_give_in_evaluation_what_each_gives_alone(momentum, float64):
    model, views = checks.make("DINO"), references.crops()
    for weight in model.momentum_projector.weights:
        weight.assign(weight + 0.1)
    found = [np.asarray(z) for z in model.project_together(views, False, momentum)]
    expected = references.projections(model, views, False, momentum)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_batch_norm_sees_views_of_one_size_together_and_other_sizes_apart():
    model = keras_ssl.SwAV(normalizing(), projector=keras.layers.Identity(), prototypes=6)
    large, other, small = np.random.default_rng(0).random((3, 16, 8, 8, 3), dtype="float32")
    views = (large, other * 0.5, small[:, :6, :6])
    z = [np.asarray(each) for each in model.project_together(views, True)]
    np.testing.assert_allclose(np.mean(z[:2], axis=(0, 1)), 0, atol=1e-4)
    assert np.abs(z[0].mean(axis=0)).min() > 0.1
    np.testing.assert_allclose(z[2].mean(axis=0), 0, atol=1e-4)


def test_small_crops_are_resized_for_an_encoder_of_one_size_and_said_once(caplog):
    model, views = swav(normalizing(8)), references.crops()
    references.one_step(model, views, keras.optimizers.SGD(0.1), batches=2)
    assert [each.getMessage() for each in caplog.records if each.name == "keras_ssl"] == [
        "SwAV: encoder 'encoder' takes images of (8, 8) only; crops of (6, 6) are resized to it."
    ]
    large = [tf.image.resize(view, (8, 8)) for view in views]
    found = model.project_together(views, False)
    for mine, view in zip(found, large, strict=True):
        np.testing.assert_allclose(mine, model.project(view, False), atol=1e-5)


def test_uint8_crops_are_scaled_before_they_are_resized(rng):
    model, crops = swav(normalizing(8)), rng.integers(0, 256, (4, 6, 6, 3), dtype="uint8")
    found = model.project_together([crops], False)
    expected = model.project_together([crops.astype("float32") / 255], False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_crops_that_fit_are_neither_resized_nor_spoken_of(caplog):
    swav(normalizing(8)).project_together(checks.two_views(4), False)
    swav(normalizing()).project_together(references.crops(4), False)
    assert not caplog.records


@pytest.mark.parametrize("which", ["a large crop of SwAV", "a view of SimCLR"])
def test_other_views_must_fit(which):
    first, second, small, _ = references.crops()
    model = swav(normalizing(8)) if "SwAV" in which else keras_ssl.SimCLR(normalizing(8))
    model.compile("sgd")
    views = (first, small) if "SwAV" in which else (first, second, small)
    with pytest.raises(ValueError, match=r"`x\[\d\]` has height 6 and the network takes 8"):
        model.fit(views, batch_size=8, verbose=0)

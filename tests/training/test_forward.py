"""Projecting several views together, and resizing of small crops."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
import tensorflow as tf

import keras_ssl


def batch_norm_encoder(size=None):
    """Returns an encoder that ends in batch norm, whose features depend on the whole batch."""
    images = keras.Input((size, size, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    return keras.Model(images, keras.layers.BatchNormalization(epsilon=1e-6)(x), name="encoder")


def swav(encoder, **kwargs):
    return keras_ssl.SwAV(encoder, projector=(8,), prototypes=6, **kwargs)


@pytest.mark.parametrize("momentum", [False, True])
def test_project_together_in_evaluation_equals_projecting_each_view_alone(momentum, float64):
    model, views = checks.make("DINO"), references.crops()
    for weight in model.momentum_projector.weights:
        weight.assign(weight + 0.1)
    projections = [np.asarray(z) for z in model.project_together(views, False, momentum)]
    expected = references.projections(model, views, False, momentum)
    np.testing.assert_allclose(projections, expected, atol=1e-12)


def test_batch_norm_sees_views_of_one_size_together_and_other_sizes_separately():
    model = keras_ssl.SwAV(batch_norm_encoder(), projector=keras.layers.Identity(), prototypes=6)
    large, other, small = np.random.default_rng(0).random((3, 16, 8, 8, 3), dtype="float32")
    views = (large, other * 0.5, small[:, :6, :6])
    z = [np.asarray(projection) for projection in model.project_together(views, True)]
    np.testing.assert_allclose(np.mean(z[:2], axis=(0, 1)), 0, atol=1e-4)
    assert np.abs(z[0].mean(axis=0)).min() > 0.1
    np.testing.assert_allclose(z[2].mean(axis=0), 0, atol=1e-4)


def test_small_crops_are_resized_for_an_encoder_of_fixed_size_with_one_warning(caplog):
    model, views = swav(batch_norm_encoder(8)), references.crops()
    references.one_step(model, views, keras.optimizers.SGD(0.1), batches=2)
    assert [record.getMessage() for record in caplog.records if record.name == "keras_ssl"] == [
        "SwAV: encoder 'encoder' takes images of (8, 8) only; crops of (6, 6) are resized to it."
    ]
    resized = [tf.image.resize(view, (8, 8)) for view in views]
    projections = model.project_together(views, False)
    for projection, view in zip(projections, resized, strict=True):
        np.testing.assert_allclose(projection, model.project(view, False), atol=1e-5)


def test_uint8_crops_are_scaled_before_they_are_resized(rng):
    model, crops = swav(batch_norm_encoder(8)), rng.integers(0, 256, (4, 6, 6, 3), dtype="uint8")
    projections = model.project_together([crops], False)
    expected = model.project_together([crops.astype("float32") / 255], False)
    np.testing.assert_allclose(projections, expected, atol=1e-6)


def test_crops_of_the_right_size_give_no_warning(caplog):
    swav(batch_norm_encoder(8)).project_together(checks.two_views(4), False)
    swav(batch_norm_encoder()).project_together(references.crops(4), False)
    assert not caplog.records


@pytest.mark.parametrize("which", ["a large crop of SwAV", "a view of SimCLR"])
def test_fit_rejects_views_of_a_wrong_size_unless_they_are_small_crops(which):
    first, second, small, _ = references.crops()
    model = (
        swav(batch_norm_encoder(8)) if "SwAV" in which else keras_ssl.SimCLR(batch_norm_encoder(8))
    )
    model.compile("sgd")
    views = (first, small) if "SwAV" in which else (first, second, small)
    with pytest.raises(ValueError, match=r"`x\[\d\]` has height 6 and the network takes 8"):
        model.fit(views, batch_size=8, verbose=0)

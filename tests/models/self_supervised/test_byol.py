"""BYOL: the symmetric loss, the momentum copies and their batch norm."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.BYOL,
    settings={"projector": (16, 8), "predictor": (16, 8), "momentum": 0.75},
    other_values={"momentum": 0.5},
    symmetric_in_views=True,
    representative=True,
)

COPIES = ("encoder", "projector")


@keras.saving.register_keras_serializable("tests")
class CustomEncoder(keras.Model):
    """An encoder of a user's class, whose config has only its own argument."""

    def __init__(self, width):
        super().__init__()
        self.width = width
        self.dense = keras.layers.Dense(width)

    def call(self, images):
        return self.dense(keras.ops.mean(images, axis=(1, 2)))

    def get_config(self):
        return {"width": self.width}


def batch_norm(layer):
    return next(x for x in layer.layers if isinstance(x, keras.layers.BatchNormalization))


def test_byol_loss_is_the_sum_over_both_directions(float64):
    model, views = checks.make("BYOL"), checks.two_views(16)
    z = references.projections(model, views)
    p = [unit(np.asarray(model.predictor(each, training=True))) for each in z]
    t = [unit(each) for each in references.projections(model, views, momentum=True)]
    squared = [np.mean(np.sum((p[i] - t[1 - i]) ** 2, axis=1)) for i in range(2)]
    assert references.one_step(model, views)["loss"] == pytest.approx(sum(squared), rel=1e-10)


def test_byol_targets_come_from_the_momentum_copies_without_gradient(float64):
    model, views = checks.make("BYOL"), checks.two_views(16)
    for weight in model.momentum_projector.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    t = references.projections(model, views, momentum=True)
    z = references.projections(model, views)
    p = [np.asarray(model.predictor(each, training=True)) for each in z]
    expected = references.mean_over_pairs(
        lambda p, t: 4 - 4 * np.mean(np.sum(unit(p) * unit(t), axis=1)), p, t
    )
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_byol_step_moves_the_momentum_copies(float64):
    model = checks.make("BYOL")  # 0.75
    old = {name: checks.arrays(getattr(model, f"momentum_{name}").weights) for name in COPIES}
    references.one_step(model, checks.two_views(16))
    for name in COPIES:
        copied, own = (getattr(model, key).weights for key in (f"momentum_{name}", name))
        for new, before, online in zip(copied, old[name], own, strict=True):
            if online.trainable:
                assert np.abs(np.asarray(online) - before).max() > 0
                expected = 0.75 * before + 0.25 * np.asarray(online)
                np.testing.assert_allclose(new, expected, atol=1e-12)


def test_byol_momentum_copies_keep_their_own_batch_norm_statistics(float64):
    model, views = checks.make("BYOL"), checks.two_views(16)
    convolution = model.momentum_encoder.layers[1]
    first, second = (np.mean(convolution(view), axis=(0, 1, 2)) for view in views)
    references.one_step(model, views)
    own = batch_norm(model.momentum_encoder).moving_mean
    np.testing.assert_allclose(own, 0.9 * (0.1 * first) + 0.1 * second, atol=1e-12)
    before = np.asarray(own).copy()
    checks.evaluate(model, views)
    np.testing.assert_array_equal(own, before)


def test_byol_momentum_copies_normalize_by_the_batch(float64):
    model, (first, _) = checks.make("BYOL"), checks.two_views(16)
    batch_norm(model.momentum_encoder).moving_mean.assign(np.full(6, 100.0))
    seen = keras.Model(model.momentum_encoder.input, model.momentum_encoder.layers[2].output)
    np.testing.assert_allclose(np.mean(seen(first, training=True), axis=(0, 1, 2)), 0, atol=1e-9)
    assert np.abs(np.asarray(model.features(first, True, momentum=True))).max() < 0.999


def test_byol_momentum_copies_are_not_trained_and_have_no_optimizer_slots():
    model = checks.make("BYOL")
    model.compile(keras.optimizers.Adam(), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    copied = model.momentum_encoder.weights + model.momentum_projector.weights
    assert copied
    assert not {id(weight) for weight in copied} & {id(w) for w in model.trainable_weights}
    slots = 2 * len(model.trainable_variables)
    assert len(model.optimizer.variables) == slots + 2  # iterations and rate
    assert len(model.trainable_weights) == sum(
        len(layer.trainable_weights) for layer in (model.encoder, model.projector, model.predictor)
    )


def test_byol_saves_a_momentum_schedule(tmp_path):
    model = checks.make("BYOL", momentum=keras_ssl.schedules.CosineMomentum(0.75, 40))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for step in (0, 20, 40):
        assert float(loaded.momentum(step)) == float(model.momentum(step))


def test_byol_predictor_is_16_times_wider_than_the_projection():
    model = keras_ssl.BYOL(checks.small_encoder(), projector=(16, 8))
    assert [layer.units for layer in model.predictor.layers if hasattr(layer, "units")] == [128, 8]


def test_byol_copies_and_saves_a_custom_encoder(tmp_path):
    encoder, views = CustomEncoder(6), checks.two_views(16)
    encoder(views[0])
    model = keras_ssl.BYOL(encoder, projector=(16, 8), predictor=(16, 8))
    references.one_step(model, views, keras.optimizers.SGD(0.1))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert isinstance(loaded.momentum_encoder, CustomEncoder)
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_byol_momentum_copies_stay_frozen_when_the_model_is_unfrozen():
    model = checks.make("BYOL")
    trained = len(model.trainable_weights)
    model.trainable = False
    model.trainable = True
    assert len(model.trainable_weights) == trained

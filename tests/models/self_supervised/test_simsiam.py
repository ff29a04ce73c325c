"""SimSiam: its heads, the stopped gradient and the learning rate of the predictor."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import NEGATIVE, MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.SimSiam,
    settings={"projector": (16, 8), "predictor": (16, 8)},
    other_values={"predictor_learning_rate": 0.01},
    invalid_values={"predictor_learning_rate": NEGATIVE},
    symmetric_in_views=True,
    views_of="SimCLR",
)

FALLEN = {"initial_learning_rate": 0.125, "decay_steps": 1}  # 0 from the second step on


def falling(rate=0.25, optimizer=keras.optimizers.SGD, **kwargs):
    """Returns a model whose predictor alone is trained after the first step."""
    model = checks.make("SimSiam", predictor_learning_rate=rate)
    model.compile(optimizer(keras.optimizers.schedules.CosineDecay(**FALLEN), **kwargs))
    return model


def test_simsiam_only_the_projector_ends_in_batch_norm_without_scale_and_offset():
    model = checks.make("SimSiam")
    last = model.projector.layers[-1]
    assert isinstance(last, keras.layers.BatchNormalization)
    assert not last.trainable_weights
    assert model.predictor.layers[-1].use_bias


def test_simsiam_predictor_is_a_bottleneck_of_a_quarter_of_the_width():
    model = keras_ssl.SimSiam(checks.small_encoder(), projector=(16, 8))
    assert model.predictor.layers[0].units == 2
    assert model.predictor.layers[-1].units == 8


def test_simsiam_loss_is_the_mean_over_both_directions(float64):
    model, views = checks.make("SimSiam"), checks.two_views(16)
    z = references.projections(model, views)
    p = [np.asarray(model.predictor(each, training=True)) for each in z]
    expected = references.mean_over_pairs(cosine_distance, p, z)
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_simsiam_stops_the_gradient_of_the_targets(float64):
    model, views = checks.make("SimSiam"), checks.two_views(16)
    targets = references.projections(model, views)
    before = checks.arrays(model.trainable_weights)
    references.one_step(model, views, keras.optimizers.SGD(1.0))
    step = [a - b for a, b in zip(checks.arrays(model.trainable_weights), before, strict=True)]

    def loss_at(distance):
        for weight, old, direction in zip(model.trainable_weights, before, step, strict=True):
            weight.assign(old + distance * direction)
        z = references.projections(model, views)
        p = [np.asarray(model.predictor(each, training=True)) for each in z]
        return references.mean_over_pairs(cosine_distance, p, targets)

    slope = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
    assert slope == pytest.approx(-sum(np.sum(each**2) for each in step), rel=1e-5)


def test_simsiam_predictor_is_trained_at_its_own_learning_rate(float64):
    model, views = falling(), checks.two_views(16)
    model.run_eagerly = True
    references.one_step(model, views)
    plain = checks.make("SimSiam")
    plain.set_weights(model.get_weights())
    before = checks.arrays(model.encoder.trainable_weights + model.projector.trainable_weights)
    references.one_step(model, views)
    after = checks.arrays(model.encoder.trainable_weights + model.projector.trainable_weights)
    for new, old in zip(after, before, strict=True):
        np.testing.assert_array_equal(new, old)
    references.one_step(plain, views, keras.optimizers.SGD(0.25))
    found, expected = model.predictor.get_weights(), plain.predictor.get_weights()
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_simsiam_resumes_with_both_learning_rates(tmp_path, float64):
    slow = keras.optimizers.schedules.CosineDecay(0.25, 8)
    model, views = falling(slow, momentum=0.875), checks.two_views(16)
    model.run_eagerly = True
    references.one_step(model, views)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert isinstance(loaded.predictor_learning_rate, keras.optimizers.schedules.CosineDecay)
    loaded.run_eagerly = True
    assert references.one_step(loaded, views, batches=2) == references.one_step(
        model, views, batches=2
    )
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_simsiam_keeps_both_learning_rates_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    model, views = falling(), checks.two_views(16)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.run_eagerly = True
    references.one_step(model, views)
    encoder = checks.arrays(model.encoder.trainable_weights)
    predictor = checks.arrays(model.predictor.trainable_weights)
    references.one_step(model, views)
    for new, old in zip(model.encoder.trainable_weights, encoder, strict=True):
        np.testing.assert_array_equal(new, old)
    for new, old in zip(model.predictor.trainable_weights, predictor, strict=True):
        assert np.abs(np.asarray(new) - old).max() > 0


def trained_weights(run_eagerly=False):
    model = falling()
    model.run_eagerly = run_eagerly
    checks.train(model, checks.two_views(), epochs=1)
    return model.get_weights()


def test_simsiam_learning_rates_match_in_traced_steps(float64):
    for weight, expected in zip(trained_weights(), trained_weights(True), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-8)


@pytest.mark.slow
def test_simsiam_learning_rates_match_on_two_replicas(float64, replicas):
    with replicas.scope():
        model = falling()
    checks.train(model, checks.two_views(), epochs=1)
    for weight, expected in zip(model.get_weights(), trained_weights(True), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-8)


def test_simsiam_rejects_a_weight_path_shared_with_the_predictor():
    dense = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, name="same")], name="head")
    twin = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, name="same")], name="head")
    model = keras_ssl.SimSiam(
        checks.small_encoder(), projector=twin, predictor=dense, predictor_learning_rate=0.1
    )
    with pytest.raises(ValueError, match=r"`predictor_learning_rate` needs .* 'head/same/"):
        model.compile("sgd", run_eagerly=True)


def cosine_distance(p, z):
    return -np.mean(np.sum(unit(p) * unit(z), axis=1))


def test_simsiam_rejects_an_optimizer_with_several_learning_rates():
    rates = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1))
    model = checks.make("SimSiam", predictor_learning_rate=0.1)
    with pytest.raises(ValueError, match="leave `predictor_learning_rate` at its default"):
        model.compile(keras.optimizers.MultiOptimizer(rates), run_eagerly=True)


def test_simsiam_splits_the_optimizer_inside_a_loss_scaling_one():
    model = checks.make("SimSiam", predictor_learning_rate=0.1)
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)), run_eagerly=True)
    rates = [float(each.learning_rate) for each in model.optimizer.inner_optimizer.optimizers]
    assert sorted(rates) == pytest.approx([0.1, 0.5])

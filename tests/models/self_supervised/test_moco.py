"""MoCo: version 2 with its queue and version 3 with its predictor."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPECS = {
    "MoCo": MethodSpec(
        keras_ssl.MoCo,
        settings={"projector": (16, 8), "queue_size": 48, "momentum": 0.75},
        other_values={"temperature": 0.5, "momentum": 0.5, "queue_size": 16},
        covered_elsewhere=("num_chunks", "version"),
        invalid_values={"version": (1, 4, "2", None)},
        views_of="SimCLR",
    ),
    "MoCo v3": MethodSpec(
        keras_ssl.MoCo,
        settings={"version": 3, "projector": (16, 8), "predictor": (16, 8), "momentum": 0.75},
        other_values={"temperature": 0.5, "momentum": 0.5},
        symmetric_in_views=True,
        views_of="BYOL",
    ),
}


def make(name="MoCo", **kwargs):
    """Returns a model whose momentum copies differ from the networks."""
    model, rng = checks.make(name, **kwargs), np.random.default_rng(1)
    for weight in model.momentum_encoder.weights + model.momentum_projector.weights:
        if len(weight.shape) > 1:
            weight.assign(rng.normal(0, 0.3, weight.shape))
    if name == "MoCo":  # `checks.make` draws all matrices
        model.queue.assign(unit(rng.normal(size=model.queue.shape)))
    return model


def with_queue(query, key, queue, temperature=0.2):
    query, key = unit(query), unit(key)
    positive = np.sum(query * key, axis=1, keepdims=True)
    logits = np.concatenate([positive, query @ queue.T], axis=1) / temperature
    return references.cross_entropy(logits, np.zeros(len(query), int))


def in_batch(query, key, temperature=0.2):
    logits = unit(query) @ unit(key).T / temperature
    return references.cross_entropy(logits, np.arange(len(query)))


def test_moco_v2_contrasts_the_key_of_the_second_view_with_the_queue(float64):
    model, views = make(), checks.two_views(16)
    query = references.projections(model, views)[0]
    key = references.projections(model, views, momentum=True)[1]
    expected = with_queue(query, key, np.asarray(model.queue))
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_moco_v2_enqueues_normalized_keys_at_the_front(float64):
    model, views = make(), checks.two_views(16)
    before = np.asarray(model.queue).copy()
    key = references.projections(model, views, momentum=True)[1]
    references.one_step(model, views)
    np.testing.assert_allclose(model.queue[:16], unit(key), atol=1e-12)
    np.testing.assert_array_equal(model.queue[16:], before[:-16])


def test_moco_v2_uses_further_views_as_queries(float64):
    model, views = make(), references.three_views()
    queries = references.projections(model, views)
    key = references.projections(model, views, momentum=True)[1]
    queue = np.asarray(model.queue)
    expected = np.mean([with_queue(queries[i], key, queue) for i in (0, 2)])
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("views", [checks.two_views, references.three_views])
def test_moco_v3_contrasts_predictions_with_keys_of_the_batch_in_all_directions(views, float64):
    model, views = make("MoCo v3", temperature=0.4), views(16)
    z = references.projections(model, views)
    q = [np.asarray(model.predictor(each, training=True)) for each in z]
    k = references.projections(model, views, momentum=True)
    mean = references.mean_over_pairs(lambda q, k: in_batch(q, k, 0.4), q, k)
    expected = 2 * (2 * 0.4 * mean)  # both directions, each times twice the temperature
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_moco_v3_has_no_queue_and_only_its_projector_ends_in_plain_batch_norm():
    model = checks.make("MoCo v3")
    assert not hasattr(model, "queue")
    assert isinstance(model.projector.layers[-1], keras.layers.BatchNormalization)
    assert not model.projector.layers[-1].trainable_weights
    assert isinstance(model.predictor.layers[-1], keras.layers.Dense)


def test_moco_v2_has_no_predictor_and_no_batch_norm_in_its_projector():
    model = checks.make("MoCo")
    assert model.predictor is None
    assert [layer for layer in model.projector.layers if hasattr(layer, "moving_mean")] == []


@pytest.mark.parametrize("name", ["MoCo", "MoCo v3"])
def test_moco_step_moves_the_momentum_copies(name, float64):
    model = make(name)  # 0.75
    old = checks.arrays(model.momentum_projector.weights)
    references.one_step(model, checks.two_views(16))
    both = zip(model.momentum_projector.weights, model.projector.weights, old, strict=True)
    for copied, own, before in both:
        if own.trainable:
            np.testing.assert_allclose(copied, 0.75 * before + 0.25 * np.asarray(own), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": 4}, "`version` must be 2 or 3, received 4"),
        ({"version": 3, "queue_size": 8}, "`queue_size` belongs to version 2"),
        ({"predictor": (16, 8)}, "`predictor` belongs to version 3"),
    ],
)
def test_moco_rejects_arguments_of_the_other_version(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_ssl.MoCo(checks.small_encoder(), **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["run_eagerly", "steps_per_execution"])
def test_moco_numbers_do_not_depend_on_compile_options(option, usual):
    value = 2 if option == "steps_per_execution" else True
    for found, expected in zip(trained(**{option: value}), usual, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.fixture(scope="module")
def usual():
    return trained()


def trained(**kwargs):
    model = checks.make("MoCo")
    model.compile(keras.optimizers.SGD(0.1), **kwargs)
    checks.train(model, checks.two_views())
    return model.get_weights()

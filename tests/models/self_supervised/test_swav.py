"""SwAV: assignments, normalized prototypes that are frozen at first, and the queue."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import NOT_A_COUNT, MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.SwAV,
    settings={
        "projector": (16, 8),
        "prototypes": 12,
        "freeze_prototypes_steps": 0,
        "queue_size": 24,
    },
    other_values={
        "prototypes": 8,
        "temperature": 0.2,
        "epsilon": 0.1,
        "iterations": 1,
        "queue_size": 16,
        "queue_start": 2,
        "freeze_prototypes_steps": 2,
    },
    invalid_values={
        "iterations": (*NOT_A_COUNT, 0, None),
        "queue_start": (*NOT_A_COUNT, None),
    },
    half_precision=("mixed_bfloat16",),
)


def sinkhorn(scores, epsilon=0.05, iterations=3):
    """Returns assignments as the authors' code does: prototypes first, then rows."""
    q = np.exp(scores / epsilon)
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(axis=0, keepdims=True) * q.shape[1]
        q /= q.sum(axis=1, keepdims=True) * q.shape[0]
    return q * q.shape[0]


def swav(model, z, queue=None):
    """Returns the loss of projections, of which the first two are those of large crops."""
    directions = unit(np.asarray(model.prototypes.kernel).T)
    scores = [unit(each) @ directions.T for each in z]
    past = [] if queue is None else [rows @ directions.T for rows in np.split(queue, 2, axis=1)]
    joined = [np.concatenate([s, p]) for s, p in zip(scores, past, strict=False)] or scores[:2]
    assigned = [sinkhorn(each)[: len(z[0])] for each in joined]
    return references.mean_over_pairs(
        lambda s, q: references.cross_entropy(s / 0.1, q), scores, assigned
    )


def make(**kwargs):
    """Returns a model with an empty queue, because `checks.make` draws all matrices."""
    model = checks.make("SwAV", **kwargs)
    model.queue.assign(np.zeros(model.queue.shape))
    return model


def project(model, views):
    return [np.asarray(z) for z in model.project_together(views, True)]


def test_swav_assigns_large_crops_and_predicts_from_all_other_crops(float64):
    model, views = checks.make("SwAV", queue_size=0), references.crops()
    expected = swav(model, project(model, views))
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_swav_prototypes_have_unit_length_after_each_step(float64):
    model = checks.make("SwAV")
    references.one_step(model, checks.two_views(16))
    lengths = np.linalg.norm(model.prototypes.kernel, axis=0)
    np.testing.assert_allclose(lengths, 1, rtol=1e-12)


def test_swav_prototypes_are_frozen_for_exactly_the_given_steps(float64):
    model, views = checks.make("SwAV", freeze_prototypes_steps=2), checks.two_views(16)
    start = unit(np.asarray(model.prototypes.kernel).T).T
    still = []
    for _ in range(4):
        references.one_step(model, views, keras.optimizers.SGD(0.125, momentum=0.875))
        still.append(np.allclose(model.prototypes.kernel, start, atol=1e-12))
    assert still == [True, True, False, False]


def test_swav_fills_the_queue_from_its_start_step_with_the_newest_rows_first(float64):
    model, views = make(queue_size=40, queue_start=2), checks.two_views(16)
    references.one_step(model, views, batches=2)
    assert not np.any(model.queue)
    newest = np.concatenate([unit(z) for z in project(model, views)], axis=1)
    references.one_step(model, views)
    np.testing.assert_allclose(model.queue[:16], newest, atol=1e-12)
    assert not np.any(model.queue[16:])


def test_swav_uses_the_queue_once_it_is_full(float64):
    model, views = make(queue_size=24), references.crops()
    for is_full in (False, False, True):
        z, queue = project(model, views), np.asarray(model.queue).copy()
        expected = swav(model, z, queue if is_full else None)
        found = references.one_step(model, views)["loss"]
        assert found == pytest.approx(expected, rel=1e-10)
    assert expected != pytest.approx(swav(model, z), rel=1e-6)


def test_swav_does_not_normalize_a_custom_prototype_layer(tmp_path):
    dense = keras.layers.Dense(12, use_bias=False)
    model = keras_ssl.SwAV(
        checks.small_encoder(), projector=(8,), prototypes=dense, freeze_prototypes_steps=0
    )
    references.one_step(model, checks.two_views(16), keras.optimizers.SGD(0.1))
    assert model.prototypes is dense
    assert np.abs(np.linalg.norm(dense.kernel, axis=0) - 1).max() > 1e-2
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.prototypes.kernel, dense.kernel)

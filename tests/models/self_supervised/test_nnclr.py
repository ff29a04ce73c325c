"""NNCLR: nearest neighbors from a queue, and the order of the queue."""

import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.NNCLR,
    settings={"projector": (16, 8), "predictor": (16, 8), "queue_size": 48},
    other_values={"temperature": 0.5, "queue_size": 16},
    covered_elsewhere=("num_chunks",),
    symmetric_in_views=True,
    half_precision=("mixed_bfloat16",),
    views_of="BYOL",
)


def make():
    """Returns a model with an initial queue, because `checks.make` draws all matrices."""
    model = checks.make("NNCLR")
    model.queue.assign(unit(np.random.default_rng(1).normal(size=model.queue.shape)))
    return model


def test_nnclr_loss_uses_the_nearest_rows_of_the_queue_in_both_directions(float64):
    model, views = make(), checks.two_views(16)
    rows = np.asarray(model.queue)
    z = references.projections(model, views)
    p = [unit(np.asarray(model.predictor(each, training=True))) for each in z]
    nearest = [rows[np.argmax(unit(each) @ rows.T, axis=1)] for each in z]
    expected = references.mean_over_pairs(
        lambda n, p: references.cross_entropy(n @ p.T / 0.1, np.arange(16)), nearest, p
    )
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_nnclr_enqueues_the_projections_of_the_first_view_at_the_front(float64):
    model, views = make(), checks.two_views(16)
    before = np.asarray(model.queue).copy()
    newest = unit(references.projections(model, views)[0])
    references.one_step(model, views)
    np.testing.assert_allclose(model.queue[:16], newest, atol=1e-12)
    np.testing.assert_array_equal(model.queue[16:], before[:-16])


def test_nnclr_queue_starts_with_random_unit_vectors_from_the_seed():
    queues = [
        np.asarray(checks.specs()["NNCLR"].make(checks.small_encoder(), seed=seed).queue)
        for seed in (0, 0, 1, -1)
    ]
    np.testing.assert_allclose(np.linalg.norm(queues[0], axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(queues[0], queues[1])
    assert np.abs(queues[0] @ queues[0].T - np.eye(48)).max() < 1 - 1e-4  # all differ
    for other in queues[2:]:
        assert np.abs(queues[0] - other).max() > 0.1


def test_nnclr_averages_all_directions_of_three_views(float64):
    model, views = make(), references.three_views()
    rows = np.asarray(model.queue)
    z = references.projections(model, views)
    p = [unit(np.asarray(model.predictor(each, training=True))) for each in z]
    nearest = [rows[np.argmax(unit(each) @ rows.T, axis=1)] for each in z]
    expected = references.mean_over_pairs(
        lambda n, p: references.cross_entropy(n @ p.T / 0.1, np.arange(16)), nearest, p
    )
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_nnclr_projector_ends_in_batch_norm_with_scale_and_offset():
    last = checks.make("NNCLR").projector.layers[-1]
    assert [weight.name for weight in last.trainable_weights] == ["gamma", "beta"]

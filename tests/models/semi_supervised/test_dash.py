"""Dash: a threshold from the first losses, which decays in closed form."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import NAN, NEGATIVE, NOT_STEPS, SCHEDULE, MethodSpec, with_classifier
from references import cross_entropy, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.Dash,
    networks=with_classifier,
    settings={
        "ema_momentum": 0.75,
        "warmup": 2,
        "decay_interval": 1,
        "decay": 1.25,
        "min_threshold": 0.7,
    },
    other_values={
        "initial_threshold": "labeled",
        "warmup": 1,
        "decay_interval": 2,
        "decay": 1.05,
        "min_threshold": 0.9,
        "temperature": 1.0,
        "unlabeled_weight": 0.5,
    },
    covered_elsewhere=("ema_momentum",),
    invalid_values={
        "decay": (1.0, 0.5, NAN, float("inf"), True, "2", None, SCHEDULE),
        "decay_interval": NOT_STEPS,
        "initial_threshold": ("test", None, 0.5, True),
        "min_threshold": (*NEGATIVE, None, SCHEDULE),
    },
    views_of="FixMatch",
)

VIEWS = checks.two_views(16)


class Reference:
    """Algorithm 1 with a warm-up of `warmup` steps, whose last tenth (one step) is collected."""

    def __init__(self, source="unlabeled", warmup=2):
        self.source, self.warmup = source, warmup

    def __call__(self, labeled, weak, strong, labels, step):
        q = softmax(weak)
        threshold = 500.0
        if step >= self.warmup:
            threshold = max(self.first * 1.25 ** -np.floor(step), 0.7)
        mask = -np.log(q.max(axis=1)) < threshold
        sharp = softmax(weak / 0.5)
        targets = np.eye(4)[weak.argmax(axis=1)] if threshold <= 0.7 else sharp
        costs = -np.sum(targets * np.log(softmax(strong)), axis=1)
        supervised = cross_entropy(labeled, labels)
        if step == self.warmup - 1:
            soft = -np.mean(np.sum(sharp * np.log(softmax(strong)), axis=1))
            self.first = {"unlabeled": soft, "labeled": 1.0001 * supervised}[self.source]
        unsupervised = costs[mask].mean() if mask.any() else 0.0
        return {
            "unsupervised_loss": unsupervised,
            "loss": supervised + 0.9 * unsupervised,
            "mask_rate": mask.mean(),
            "threshold": threshold,
        }


@pytest.mark.parametrize("source", ["unlabeled", "labeled"])
def test_dash_matches_the_paper_step_by_step(source, float64):
    model = checks.make("Dash", initial_threshold=source)
    references.follow(model, Reference(source), steps=6)


def thresholds(steps, **settings):
    """Trains a model and returns it with the threshold that it logs at each step."""
    model = checks.make("Dash", **settings)
    history = checks.train(model, VIEWS, epochs=steps)
    return model, np.array(history["threshold"])


@pytest.mark.slow
def test_dash_threshold_decays_in_closed_form(float64):
    settings = {"warmup": 4, "decay_interval": 3, "decay": 1.27, "min_threshold": 0.05}
    model, found = thresholds(50, **settings)
    first = float(model.loss_sum) / float(model.loss_count)
    assert float(model.loss_count) == 1
    steps = np.arange(50)
    expected = np.maximum(first * 1.27 ** -(steps // 3), 0.05)
    np.testing.assert_allclose(found, np.where(steps < 4, 500.0, expected), rtol=1e-10)
    assert found[-1] == pytest.approx(0.05)


@pytest.mark.slow
def test_dash_converts_fractions_of_the_run_to_steps(float64):
    _, fractions = thresholds(20, warmup=0.2, decay_interval=0.15)
    _, steps = thresholds(20, warmup=4, decay_interval=3)
    np.testing.assert_allclose(fractions, steps, rtol=1e-10)


def test_dash_averages_the_last_tenth_of_the_warmup(float64):
    model, _ = thresholds(21, warmup=20)
    assert float(model.loss_count) == 2


@pytest.mark.slow
def test_dash_resumes_with_the_same_threshold(tmp_path, float64):
    settings = {"warmup": 4, "decay_interval": 3, "decay": 1.27, "min_threshold": 0.05}
    _, uninterrupted = thresholds(12, **settings)
    stopped, begun = thresholds(5, **settings)
    stopped.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    rest = checks.train(loaded, VIEWS, epochs=12, initial_epoch=5)["threshold"]
    np.testing.assert_allclose([*begun, *rest], uninterrupted, rtol=1e-10)


def test_dash_rejects_a_fraction_if_the_length_of_the_run_is_unknown():
    import tensorflow as tf

    batch = checks.FewLabels(VIEWS, 16)[0]
    endless = tf.data.Dataset.from_tensors(batch).repeat()
    unknown = endless.take(3).filter(lambda *_: True)
    model = checks.make("Dash", warmup=0.1)
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match=r"`warmup=0.1` is relative .* Pass `steps_per_epoch`"):
        model.fit(unknown, verbose=0)
    model.fit(endless, steps_per_epoch=3, epochs=2, verbose=0)
    assert int(model.total_steps) == 6

"""EMP-SSL: the coding rate of many patches and their similarity to the mean."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.EMPSSL,
    settings={"projector": (16, 8)},
    other_values={"invariance": 100.0, "epsilon": 0.5},
    learning_rate=2**-6,
    symmetric_in_views=True,
)


def terms(z, epsilon=0.2):
    """Returns the coding rate and the similarity of `(V, B, D)`, as in the authors' code."""
    z = unit(z)
    _, rows, dim = z.shape
    scale = dim / (rows * epsilon)
    rates = [np.linalg.slogdet(np.eye(dim) + scale * each.T @ each)[1] / 2 for each in z]
    similarity = np.sum(z * unit(z.mean(axis=0)), axis=-1)
    return np.mean(rates), np.mean(similarity)


def patches(count, images=16):
    rng = np.random.default_rng(2)
    return tuple(rng.random((images, 8, 8, 3)) for _ in range(count))


@pytest.mark.parametrize("images", [16, 6])  # more than dimensions, and fewer
def test_emp_ssl_loss_and_logged_terms_match_the_paper_over_all_patches(images, float64):
    model, views = checks.make("EMPSSL"), patches(5, images)
    z = np.stack([np.asarray(each) for each in model.project_together(views, True)])
    rate, similarity = terms(z)
    logs = references.one_step(model, views)
    assert logs["coding_rate"] == pytest.approx(rate, rel=1e-10)
    assert logs["similarity"] == pytest.approx(similarity, rel=1e-10)
    assert logs["loss"] == pytest.approx(-rate - 200 * similarity, rel=1e-10)


def test_emp_ssl_uses_invariance_and_epsilon():
    model, views = checks.make("EMPSSL", invariance=3.0, epsilon=0.5), patches(4)
    z = np.stack([np.asarray(each) for each in model.project_together(views, True)])
    rate, similarity = terms(z, epsilon=0.5)
    loss = references.one_step(model, views)["loss"]
    assert loss == pytest.approx(-rate - 3 * similarity, rel=1e-4)


def test_emp_ssl_loss_of_a_collapsed_encoder_is_higher():
    images = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(images)
    model = keras_ssl.EMPSSL(keras.Model(images, flat), projector=keras.layers.Identity())
    model.compile("sgd", run_eagerly=True)
    spread = np.repeat(np.eye(12), 16, axis=1).reshape(12, 8, 8, 3).astype("float32")
    same = np.ones_like(spread)
    apart, collapsed = (checks.evaluate(model, (x,) * 4)[0] for x in (spread, same))
    assert collapsed > apart + 1


def test_emp_ssl_default_views_are_20_patches():
    assert len(checks.make("EMPSSL").default_views((32, 32))) == 20

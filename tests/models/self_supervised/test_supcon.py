"""SupCon: the loss over all views and classes, and the labels it needs."""

import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.SupCon,
    settings={"projector": (16, 8)},
    other_values={"temperature": 0.5, "together": True},
    covered_elsewhere=("num_chunks",),
    symmetric_in_views=True,
    views_of="SimCLR",
)

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")


def supcon(z, labels, temperature=0.1):
    """Returns equation 2, "out", anchor by anchor."""
    z, losses = unit(z), []
    for i, anchor in enumerate(z):
        others = np.arange(len(z)) != i
        positives = others & (labels == labels[i])
        if positives.any():
            logits = z @ anchor / temperature
            losses.append(np.log(np.sum(np.exp(logits[others]))) - np.mean(logits[positives]))
    return np.mean(losses)


def loss_of(model, views, labels):
    return np.ravel(model.evaluate(views, labels, batch_size=len(labels), verbose=0))[0]


@pytest.fixture
def model():
    flips = (keras_ssl.views.RandomFlip(), keras_ssl.views.RandomFlip())  # fast
    model = checks.make("SupCon", views=flips)
    model.compile("sgd", run_eagerly=True)
    return model


@pytest.mark.parametrize("views", [checks.two_views, references.three_views])
def test_supcon_loss_matches_the_paper_over_all_views_and_classes(views, float64):
    model, views = checks.make("SupCon"), views(16)
    z = np.concatenate(references.projections(model, views))
    expected = supcon(z, np.tile(checks.labels(16), len(views)))
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_supcon_normalizes_views_together_as_the_authors_do(float64):
    model, views = checks.make("SupCon", together=True), checks.two_views(16)
    (z,) = references.projections(model, (np.concatenate(views),))
    expected = supcon(z, np.tile(checks.labels(16), 2))
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_supcon_loss_depends_on_the_partition_by_labels(model):
    views, labels = checks.two_views(16), checks.labels(16)
    shuffled = np.random.default_rng(0).permutation(labels)
    usual = loss_of(model, views, labels)
    assert loss_of(model, views, shuffled) != pytest.approx(usual, rel=1e-3)
    assert loss_of(model, views, (labels + 3) * 7) == pytest.approx(usual, rel=1e-6)


def test_supcon_uses_both_views_if_no_class_has_two_images(float64):
    model, views = checks.make("SupCon"), checks.two_views(16)
    model.compile("sgd", run_eagerly=True)
    z = np.concatenate(references.projections(model, views, training=False))
    expected = supcon(z, np.tile(np.arange(16), 2))
    assert loss_of(model, views, np.arange(16)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("ask", ["fit", "evaluate"])
@pytest.mark.parametrize("kind", ["array", "views", "dataset", "dataset of views"])
def test_supcon_rejects_data_without_labels(model, ask, kind):
    import tensorflow as tf

    views = checks.two_views(16)
    x = {
        "array": IMAGES,
        "views": views,
        "dataset": tf.data.Dataset.from_tensor_slices(IMAGES).batch(8),
        "dataset of views": tf.data.Dataset.from_tensor_slices((views,)).batch(8),
    }[kind]
    with pytest.raises(ValueError, match="SupCon needs a label for each image"):
        getattr(model, ask)(x, batch_size=8, verbose=0)


@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_supcon_reads_the_labels_of_plain_images(model, kind):
    import tensorflow as tf

    labels = checks.labels(16)
    data = tf.data.Dataset.from_tensor_slices((IMAGES, labels)).batch(8)
    given = (data,) if kind == "dataset" else (IMAGES, labels)
    assert np.isfinite(model.fit(*given, batch_size=8, verbose=0).history["loss"][0])


def test_supcon_rejects_labels_with_two_axes_before_training():
    model = checks.make("SupCon")
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match=r"one class index per image.* \(8, 4\)"):
        model.fit(checks.two_views(8), np.eye(4)[checks.labels(8)], batch_size=8, verbose=0)

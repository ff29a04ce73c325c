"""FixMatch: the loss of the paper, and the inputs that receive a gradient."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.FixMatch,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "threshold": 0.4},
    other_values={"threshold": 0.6, "unlabeled_weight": 0.5},
    covered_elsewhere=("ema_momentum",),
    representative=True,
    on_workers=True,
    half_precision=("mixed_bfloat16",),
)

VIEWS = checks.two_views(16)


def fixmatch(labeled, weak, strong, labels, step):
    """Algorithm 1 with a threshold of 0.4."""
    confidence = softmax(weak)
    mask = confidence.max(axis=1) >= 0.4
    supervised = cross_entropy(labeled, labels)
    unsupervised = masked(strong, np.eye(4)[confidence.argmax(axis=1)], mask)
    right = confidence.argmax(axis=1) == checks.labels(16)
    return {
        "loss": supervised + 2.0 * unsupervised,
        "supervised_loss": supervised,
        "unsupervised_loss": unsupervised,
        "mask_rate": mask.mean(),
        "threshold": 0.4,
        "pseudo_label_accuracy": right[mask].mean(),
        "accuracy": np.mean(labeled.argmax(axis=1) == labels),
    }


def test_fixmatch_matches_the_paper_step_by_step(float64):
    model = checks.make("FixMatch", unlabeled_weight=2.0)
    model.compile(keras.optimizers.SGD(model.rate), metrics=["accuracy"], run_eagerly=True)
    references.follow(model, fixmatch)


def gradient_of_inputs(threshold):
    """Returns confidences, and the gradient norms of weak and strong views for each image."""
    import tensorflow as tf

    encoder = checks.small_encoder(batch_norm=False)  # batch norm mixes images
    model = keras_ssl.FixMatch(keras_ssl.models.classifier(encoder, 4), threshold=threshold)
    weak, strong = map(tf.constant, VIEWS)
    parts, labels = checks.FewLabels(VIEWS, 16)[0]
    with tf.GradientTape() as tape:
        tape.watch([weak, strong])
        data = ({**parts, "weak": weak, "strong": strong}, labels)
        loss = model.compute_losses(model.unpack_batch(data), training=True)["loss"]
    gradients = tape.gradient(loss, [weak, strong], unconnected_gradients="zero")
    confidence = softmax(np.asarray(model.classifier(VIEWS[0]))).max(axis=1)
    return confidence, *(np.abs(each).sum(axis=(1, 2, 3)) for each in gradients)


@pytest.mark.tensorflow  # the tests of the losses cover gradients on every backend
def test_fixmatch_masked_images_and_weak_views_have_no_gradient():
    threshold = float(np.median(gradient_of_inputs(0.5)[0]))
    keras.utils.set_random_seed(1)
    confidence, weak, strong = gradient_of_inputs(threshold)
    used = confidence >= threshold
    assert 0 < used.sum() < 16
    np.testing.assert_array_equal(weak, 0)
    np.testing.assert_array_equal(strong > 0, used)

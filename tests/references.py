"""Helpers of the NumPy references of the methods."""

import itertools

import keras
import method_checks as checks
import numpy as np


def projections(model, views, training=True, momentum=False):
    """Returns the projections of each view by encoder and projector, arrays `(B, width)`."""
    return [np.asarray(model.project(view, training, momentum)) for view in views]


def three_views(count=16):
    """Returns two related views of `count` images and an unrelated third one."""
    return (*checks.two_views(count), checks.two_views(count, seed=4)[0])


def crops(count=16, small=2, size=6):
    """Returns two large crops of `count` images, and `small` crops of `size` pixels."""
    rng = np.random.default_rng(5)
    small_crops = [rng.random((count, size, size, 3)) for _ in range(small)]
    return (*checks.two_views(count), *(crop.astype(keras.config.floatx()) for crop in small_crops))


def mean_over_pairs(loss, left, right=None):
    """Returns the mean of `loss(left[i], right[j])` over all pairs with i != j."""
    right = left if right is None else right
    pairs = itertools.product(range(len(left)), range(len(right)))
    return np.mean([loss(left[i], right[j]) for i, j in pairs if i != j])


def softmax(logits):
    """Computes the softmax of each row."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(logits, targets):
    """Computes the mean cross-entropy; `targets` are distributions or class indices."""
    if targets.ndim == 1:
        targets = np.eye(logits.shape[1])[targets]
    return -np.mean(np.sum(targets * np.log(softmax(logits)), axis=1))


def one_step(model, views, optimizer=None, batches=1):
    """Takes a step on all images as one batch, `batches` times. Returns the logs of the last."""
    if not model.compiled:
        model.compile(optimizer or keras.optimizers.SGD(model.rate), run_eagerly=True)
    history = checks.train(model, views, batch_size=len(views[0]), epochs=batches)
    return {name: values[-1] for name, values in history.items()}


def few_label_logits(model, views):
    """Returns the logits in training of labeled images, weak and strong views, and the labels."""
    (labeled, labels), weak, strong = checks.labeled_part(views), *views
    images = np.concatenate([labeled, weak, strong])
    logits = np.asarray(model.classifier(images, training=True))
    num_labeled, num_unlabeled = len(labeled), len(weak)
    logits = np.split(logits, [num_labeled, num_labeled + num_unlabeled])
    return *logits, labels


def follow(model, reference, views=None, steps=4):
    """Asserts that the logs of a method match a reference at each step.

    Args:
        model: Semi-supervised method.
        reference: Function of the logits (labeled, weak, strong), the labels and the step that
            returns the expected logs.
        views: Arrays of a weak and a strong view.
        steps: Int, the number of steps.
    """
    views = checks.two_views(16) if views is None else views
    for step in range(steps):
        expected = reference(*few_label_logits(model, views), step)
        logs = one_step(model, views)
        for name, value in expected.items():
            np.testing.assert_allclose(logs[name], value, rtol=1e-7, err_msg=f"{name}, {step}")


def masked(strong, targets, mask):
    """Computes the cross-entropy weighted by a mask, as the mean over all rows."""
    return -np.mean(mask * np.sum(targets * np.log(softmax(strong)), axis=1))

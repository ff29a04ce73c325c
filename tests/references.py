"""What the NumPy references of the methods share: projections, rows, one step without a trace."""

import itertools

import keras
import method_checks as checks
import numpy as np


def projections(model, views, training=True, momentum=False):
    """What encoder and projector make of each view, arrays `(B, width)`."""
    return [np.asarray(model.project(view, training, momentum)) for view in views]


def three_views(count=16):
    """Two related views of `count` images and an unrelated third."""
    return (*checks.two_views(count), checks.two_views(count, seed=4)[0])


def crops(count=16, small=2, size=6):
    """Two large crops, and small ones of `size` pixels."""
    rng = np.random.default_rng(5)
    views = [rng.random((count, size, size, 3)) for _ in range(small)]
    return (*checks.two_views(count), *(view.astype(keras.config.floatx()) for view in views))


def mean_over_pairs(loss, left, right=None):
    """Mean of `loss(left[i], right[j])` over all i other than j."""
    right = left if right is None else right
    every = itertools.product(range(len(left)), range(len(right)))
    return np.mean([loss(left[i], right[j]) for i, j in every if i != j])


def softmax(logits):
    """Of each row."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(logits, targets):
    """Mean over rows; `targets` are distributions, or the position of each row's answer."""
    if targets.ndim == 1:
        targets = np.eye(logits.shape[1])[targets]
    return -np.mean(np.sum(targets * np.log(softmax(logits)), axis=1))


def one_step(model, views, optimizer=None, batches=1):
    """Takes a step on a batch of all images, again `batches` times. Returns the last logs."""
    if not model.compiled:
        model.compile(optimizer or keras.optimizers.SGD(model.rate), run_eagerly=True)
    history = checks.train(model, views, batch_size=len(views[0]), epochs=batches)
    return {name: values[-1] for name, values in history.items()}


def few_label_logits(model, views):
    """What the classifier says in training: of labeled images, weak and strong views; labels."""
    (labeled, labels), weak, strong = checks.labeled_part(views), *views
    together = np.concatenate([labeled, weak, strong])
    logits = np.asarray(model.classifier(together, training=True))
    few, many = len(labeled), len(weak)
    return logits[:few], logits[few : few + many], logits[few + many :], labels


def follow(model, reference, views=None, steps=4):
    """Asserts that a method's logs are what a reference makes of its logits, step by step.

    Args:
        model: A method that learns from few labels.
        reference: Function of the logits, `(labeled, weak, strong)`, labels and step that returns
            the logs expected.
        views: Arrays of a weak and a strong view.
        steps: Int.
    """
    views = checks.two_views(16) if views is None else views
    for step in range(steps):
        expected = reference(*few_label_logits(model, views), step)
        logs = one_step(model, views)
        for name, value in expected.items():
            np.testing.assert_allclose(logs[name], value, rtol=1e-7, err_msg=f"{name}, {step}")


def masked(strong, targets, mask):
    """Mean over all rows of the cross-entropy, rows weighed by the mask."""
    return -np.mean(mask * np.sum(targets * np.log(softmax(strong)), axis=1))

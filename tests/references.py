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

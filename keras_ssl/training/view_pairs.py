"""Averages of a loss over pairs of views, for methods whose papers define it for two views."""

import keras


def mean_over_pairs(loss, projections):
    """Returns the mean of `loss(a, b)` over all pairs of views.

    Args:
        loss: Symmetric function of two tensors that returns a scalar or a dict of scalars.
        projections: List of V >= 2 tensors.
    """
    pairs = [(a, b) for i, a in enumerate(projections) for b in projections[i + 1 :]]
    return _mean([loss(a, b) for a, b in pairs])


def mean_over_ordered_pairs(loss, predictions, targets):
    """Returns the mean of `loss(p, z)` over predictions and targets of different views.

    Args:
        loss: Function of two tensors that returns a scalar.
        predictions: List of V >= 2 tensors, one per view.
        targets: List of tensors, of the first views if there are fewer.
    """
    pairs = [(p, z) for j, z in enumerate(targets) for i, p in enumerate(predictions) if i != j]
    return _mean([loss(p, z) for p, z in pairs])


def _mean(values):
    return keras.tree.map_structure(lambda *x: sum(x[1:], x[0]) / len(x), *values)

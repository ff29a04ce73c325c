"""Means over pairs of views, for methods whose papers have two."""

import keras


def mean_over_pairs(loss, projections):
    """Mean of `loss(a, b)` over all pairs of views: the loss itself where there are two.

    Args:
        loss: Function of two tensors that does not mind their order, to a scalar or a dict of them.
        projections: List of V >= 2 tensors.
    """
    pairs = [(a, b) for i, a in enumerate(projections) for b in projections[i + 1 :]]
    return _mean([loss(a, b) for a, b in pairs])


def mean_over_ordered_pairs(loss, predictions, targets):
    """Mean of `loss(p, z)` over a prediction from one view and the target from another.

    Args:
        loss: Function of two tensors to a scalar.
        predictions: List of V >= 2 tensors, one for each view.
        targets: List of tensors for the same views; for the first of them, where there are fewer.
    """
    pairs = [(p, z) for j, z in enumerate(targets) for i, p in enumerate(predictions) if i != j]
    return _mean([loss(p, z) for p, z in pairs])


def _mean(values):
    return keras.tree.map_structure(lambda *each: sum(each[1:], each[0]) / len(each), *values)

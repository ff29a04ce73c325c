"""Faster color changes for any preset."""

import dataclasses
from collections.abc import Sequence

from keras_ssl.views.base import View
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.color_jitter import ColorJitter
from keras_ssl.views.ops.fast_color_jitter import FastColorJitter
from keras_ssl.views.ops.grayscale import RandomGrayscale


def fast_colors(views: View | Sequence[View]) -> View | tuple[View, ...]:
    """Replaces `ColorJitter` and `RandomGrayscale` with a single `FastColorJitter`.

        views = keras_ssl.views.fast_colors(keras_ssl.views.simclr(32))
        model = keras_ssl.SimCLR(encoder, views=views)

    Choose it if the views are the bottleneck of training. The pixels differ, see
    `FastColorJitter`.

    Args:
        views: View or sequence of views that contains a `ColorJitter`, such as
            `keras_ssl.views.simclr(32)`.

    Returns:
        A view, or a tuple if `views` is a sequence.

    Raises:
        TypeError: If `views` is neither a view nor a sequence of views.
        ValueError: If `views` contains no `ColorJitter`.
    """
    originals = tuple(views) if isinstance(views, (tuple, list)) else (views,)
    if not originals or not all(isinstance(view, View) for view in originals):
        raise TypeError(
            "`views` must be a view or a sequence of views, such as keras_ssl.views.simclr(32), "
            f"received {views!r}."
        )
    results = tuple(map(_replace_colors, originals))
    if results == originals:
        raise ValueError(f"`views` has no ColorJitter to replace, received {views!r}.")
    return results if isinstance(views, (tuple, list)) else results[0]


def _replace_colors(view):
    # Only exact types: a subclass may change colors in its own way.
    if type(view) is ColorJitter:
        return FastColorJitter(*dataclasses.astuple(view))
    if type(view) is not Compose:
        return view
    results = []
    for part in map(_replace_colors, view.views):
        follows_jitter = bool(results) and type(results[-1]) is FastColorJitter
        if type(part) is RandomGrayscale and follows_jitter and results[-1].grayscale == 0:
            part = dataclasses.replace(results.pop(), grayscale=part.probability)
        results.append(part)
    return Compose(results)

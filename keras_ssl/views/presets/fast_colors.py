"""Faster color changes for any preset."""

import dataclasses

from keras_ssl.views.base import View
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.color_jitter import ColorJitter
from keras_ssl.views.ops.fast_color_jitter import FastColorJitter
from keras_ssl.views.ops.grayscale import RandomGrayscale


def fast_colors(views):
    """Exchanges `ColorJitter` and `RandomGrayscale` for one `FastColorJitter`.

        model = keras_ssl.SimCLR(encoder, views=keras_ssl.views.fast_colors(keras_ssl.views.simclr(32)))

    Args:
        views: View or sequence of views, such as `views.simclr(32)`, with a `ColorJitter` in it.

    Returns:
        The same with the colors changed by `FastColorJitter`; of a sequence a tuple.

    Raises:
        TypeError: If it is neither a view nor a sequence of views.
        ValueError: If no `ColorJitter` is in it.
    """
    several = views if isinstance(views, (tuple, list)) else (views,)
    if not several or not all(isinstance(view, View) for view in several):
        raise TypeError(
            "`views` must be a view or a sequence of views, such as keras_ssl.views.simclr(32), "
            f"received {views!r}."
        )
    quick = tuple(map(_exchanged, several))
    if quick == tuple(several):
        raise ValueError(f"`views` has no ColorJitter that could be exchanged, received {views!r}.")
    return quick if isinstance(views, (tuple, list)) else quick[0]


def _exchanged(view):
    # Of our own kinds alone: a subclass may change colors in its own way.
    if type(view) is ColorJitter:
        return FastColorJitter(*dataclasses.astuple(view))
    if type(view) is not Compose:
        return view
    parts = []
    for part in map(_exchanged, view.views):
        is_gray = type(part) is RandomGrayscale and parts
        if is_gray and type(parts[-1]) is FastColorJitter and parts[-1].grayscale == 0:
            part = dataclasses.replace(parts.pop(), grayscale=part.probability)
        parts.append(part)
    return Compose(parts)

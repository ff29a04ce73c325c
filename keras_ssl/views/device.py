"""Views that a training step makes on its device, from images and their place in the run."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import lazy_loader

from keras_ssl.views.backend import device_views, ops
from keras_ssl.views.base import View, fold_in

jax = lazy_loader.load("jax")


class PositionedImages(NamedTuple):
    """A batch of images, and what its views are a function of besides the seed.

    Attributes:
        images: Tensor `(B, H, W, C)`, uint8 0..255 or float 0..1.
        position: Int tensor `(B, 3)` of equal rows: phase, epoch and index of the batch. With one
            row per image, a batch can be divided among devices.
    """

    images: Any
    position: Any


def make_views(batch: PositionedImages, views: Sequence[View], seed: int) -> tuple:
    """Returns the views that the data pipeline would make: a tuple of tensors."""
    with device_views():
        seed = _batch_seed(batch, seed)
        return tuple(view(batch.images, fold_in(seed, number)) for number, view in enumerate(views))


def make_view(batch: PositionedImages, view: View, seed: int, phase: int) -> Any:
    """Returns one view, with the random numbers of another phase than that of the images."""
    with device_views():
        return view(batch.images, _batch_seed(batch, seed, phase))


def make_views_compiled(batch: PositionedImages, views: Sequence[View], seed: int) -> tuple:
    """As `make_views`, outside of a training step on JAX, which is slow operation by operation."""
    return compile_views(lambda batch: make_views(batch, views, seed))(batch)


def compile_views(function: Callable) -> Callable:
    """Returns a function that makes views, compiled by JAX."""
    return jax.jit(function)


def find_host_views(views: Sequence[Any]) -> list[Any]:
    """Returns those of the views that only the data pipeline can make."""
    return [view for view in views if not getattr(view, "runs_on_device", False)]


def _batch_seed(batch, seed, phase=None):
    """Returns the seed of a batch: that of `seed`, the phase, the epoch and the index."""
    own_phase, epoch, index = ops.unstack(ops.cast(batch.position[0], "int32"))
    phase = own_phase if phase is None else ops.cast(phase, "int32")
    return fold_in(ops.stack([ops.cast(seed, "int32"), phase]), epoch, index)

"""Composition of views."""

import dataclasses
from collections.abc import Sequence

import keras

from keras_ssl.views import per_image
from keras_ssl.views.backend import selects_images
from keras_ssl.views.base import View, apply_transform, fold_in
from keras_ssl.views.ops.crop import RandomResizedCrop
from keras_ssl.views.ops.flip import RandomFlip


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Compose(View):
    """Applies several views one after the other, each with its own seed.

    Args:
        views: Tuple or list of `keras_ssl.views.View`.

    Raises:
        TypeError: If `views` is not a tuple or list of views.
    """

    views: Sequence[View]

    def __post_init__(self):
        views = self.views
        if not isinstance(views, (tuple, list)) or not all(isinstance(v, View) for v in views):
            raise TypeError(
                "`views` must be a tuple of views, such as keras_ssl.views.RandomFlip() or your "
                f"own subclass of keras_ssl.views.View, received {views!r}."
            )
        self._set(views=tuple(views))

    @property
    def accepts_uint8(self):
        """Whether the first view takes uint8 images."""
        return bool(self.views) and self.views[0].accepts_uint8

    @property
    def runs_on_device(self):
        """Whether all views run in a training step."""
        return all(view.runs_on_device for view in self.views)

    def transform(self, images, seed):
        # Consecutive operations on single images run in one loop over the batch.
        ops, shape = [], tuple(images.shape)[1:]
        for view, view_seed, options in self._steps(images, seed):
            op = None
            if selects_images():
                op = view.per_image_op(images, view_seed, shape, **options)
            if op is None:
                images = per_image.apply_per_image(ops, images)
                images = apply_transform(view, images, view_seed, **options)
                ops, shape = [], tuple(images.shape)[1:]
            else:
                ops.append(op)
                shape = op.shape
        return per_image.apply_per_image(ops, images)

    def _steps(self, images, seed):
        """Returns `(view, seed, options)` of each view. A crop also does the flip after it."""
        steps = []
        for index, view in enumerate(self.views):
            view_seed = fold_in(seed, index)
            # Only these exact types: a subclass may crop or flip in its own way.
            follows_crop = bool(steps) and type(steps[-1][0]) is RandomResizedCrop
            if follows_crop and type(view) is RandomFlip and not steps[-1][2]:
                steps[-1][2]["flipped"] = view.draw_selected(images, view_seed)
            else:
                steps.append((view, view_seed, {}))
        return steps

"""Views one after the other."""

import dataclasses

import keras

from keras_ssl.views import per_image
from keras_ssl.views.base import View, fold_in
from keras_ssl.views.ops.crop import RandomResizedCrop
from keras_ssl.views.ops.flip import RandomFlip


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Compose(View, calls_others=True):
    """Applies views one after the other, each with a seed of its own.

    Args:
        views: Tuple or list of `keras_ssl.views.View`.

    Raises:
        TypeError: If `views` is not a tuple or list of views.
    """

    views: tuple[View, ...]

    def __post_init__(self):
        views = self.views
        if not isinstance(views, (tuple, list)) or not all(isinstance(v, View) for v in views):
            raise TypeError(
                "`views` must be a tuple of views, such as keras_ssl.views.RandomFlip() or a "
                f"subclass of keras_ssl.views.View of your own, received {views!r}."
            )
        self._set(views=tuple(views))

    @property
    def takes_bytes(self):
        """Whether the first view takes uint8 images."""
        is_ours = type(self).transform is Compose.transform
        return is_ours and bool(self.views) and self.views[0].takes_bytes

    def transform(self, images, seed):
        """Applies all; each large image passes as many as can take it alone, one by one."""
        plans, shape = [], images.shape[1:]
        for index, view, own in self._steps(images, seed):
            seeded, plan = fold_in(seed, index), None
            if "plan" in vars(type(view)):
                plan = view.plan(images, seeded, shape, **own)
            if plan is None:
                images = view.transform(per_image.apply_per_image(plans, images), seeded, **own)
                plans, shape = [], images.shape[1:]
            else:
                plans.append(plan)
                shape = plan.shape
        return per_image.apply_per_image(plans, images)

    def _steps(self, images, seed):
        """Yields place, view and what it is told; a flip after a crop happens on its way."""
        steps = list(enumerate(self.views))
        while steps:
            index, view = steps.pop(0)
            own = {}
            # These two alone: a subclass may draw or move pixels in its own way.
            if type(view) is RandomResizedCrop and steps and type(steps[0][1]) is RandomFlip:
                then, flip = steps.pop(0)
                own["mirrored"] = flip.chosen(images, fold_in(seed, then))
            yield index, view, own

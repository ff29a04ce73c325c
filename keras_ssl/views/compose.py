"""Views one after the other."""

import dataclasses

import keras

from keras_ssl.views.base import View, fold


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class Compose(View):
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

    def transform(self, images, seed):
        """Applies all."""
        for index, view in enumerate(self.views):
            images = view.transform(images, fold(seed, index))
        return images

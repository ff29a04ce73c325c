"""Base class of views: frozen, serializable functions of a batch of images and a seed."""

import dataclasses
import zlib
from typing import Any

import keras

from keras_ssl import _tensorflow as tf
from keras_ssl._types import Tensor
from keras_ssl.views import draws, per_image
from keras_ssl.views.backend import ops, selects_images, uses_tensorflow, without_autograph

CHANNELS = (1, 3, 4)


@dataclasses.dataclass(frozen=True)
class View:
    """A random, stateless function of a batch of images: the same seed gives the same pixels.

    Calling a view neither reads nor changes any global random state. Each image of the batch gets
    its own random numbers. To write a view, define a frozen dataclass with a `transform` method.
    Decorate it with `@keras.saving.register_keras_serializable()` if it should be saved. Set
    `runs_on_device = True` if it uses `keras.ops` alone and may run in a training step.

        @keras.saving.register_keras_serializable()
        @dataclasses.dataclass(frozen=True)
        class Darken(keras_ssl.views.View):
            strength: float = 0.5

            def transform(self, images, seed):
                amounts = self.uniform(images, seed, 1)
                return images * (1 - self.strength * amounts[:, :, None, None])

    Args:
        *fields: The fields of the subclass, such as `strength` above. `View` itself has none.
    """

    # Whether `transform` also takes uint8 images.
    accepts_uint8 = False
    # Whether `transform` uses `keras.ops` alone, with shapes that do not depend on pixels or random
    # numbers, and so can run in a training step.
    runs_on_device = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "transform" in vars(cls):
            # What a parent knows about its own `transform` does not hold for another one.
            names = {"per_image_op", "accepts_uint8", "runs_on_device"}
            for name in names - vars(cls).keys():
                setattr(cls, name, getattr(View, name))

    def __call__(self, images: Tensor, seed: Tensor) -> Tensor:
        """Returns one random view of each image.

        Args:
            images: `(B, H, W, C)`, uint8 in 0..255 or float in 0..1. C is 1, 3 or 4 (RGBA).
            seed: Two integers: an integer tensor `(2,)`, an array or a pair.

        Returns:
            float32 tensor `(B, height, width, C)` in 0..1.

        Raises:
            TypeError: If `images` is neither uint8 nor float, or `seed` does not hold integers.
            ValueError: If `images` or `seed` has the wrong shape.
        """
        return without_autograph(self._make)(images, seed)

    def _make(self, images, seed):
        images, seed = validate_images(images), as_seed(seed)
        if not (self.accepts_uint8 and is_uint8(images)):
            images = to_unit_range(images)
        op = self.per_image_op(images, seed, tuple(images.shape)[1:]) if selects_images() else None
        if op is None:
            return apply_transform(self, images, seed)
        return per_image.apply_per_image([op], images)

    def transform(self, images: Tensor, seed: Tensor) -> Tensor:
        """Returns one random view of each image. Subclasses implement this method.

        Args:
            images: float32 `(B, H, W, C)` in 0..1.
            seed: int32 tensor `(2,)`.

        Returns:
            float32 tensor `(B, height, width, C)` in 0..1.
        """
        raise NotImplementedError

    def per_image_op(self, images: Tensor, seed: Tensor, shape: Tensor) -> Any:
        """Returns the operation that replaces `transform` if one image at a time is faster.

        A subclass that overrides `transform` does not inherit the operation of its parent.

        Args:
            images: The batch. Only its size is used.
            seed: int32 tensor `(2,)`.
            shape: Static shape `(H, W, C)` of the images that the operation receives.

        Returns:
            `per_image.PerImageOp`, or None to call `transform`.
        """
        return None

    def uniform(self, images: Tensor, seed: Tensor, count: int) -> Tensor:
        """Returns `count` random numbers for each image, uniform in 0..1: float32 `(B, count)`.

        The name of the class is folded into the seed. Two different views that receive the same
        seed draw different numbers.
        """
        return draws.uniform(fold_in(seed, type(self).__name__), (ops.shape(images)[0], count))

    def get_config(self) -> dict:
        """Returns the constructor arguments in a serializable form."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config: dict) -> "View":
        """Creates a view from the output of `get_config`."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def _set(self, **values):
        """Stores validated arguments in `__post_init__`, although the dataclass is frozen."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


class RandomApply(View):
    """Base class of views that change each image with a `probability` and in one way only.

    Subclasses have a field `probability` and define `change`.
    """

    probability: float

    runs_on_device = True

    def transform(self, images, seed):
        return apply_where(images, self.draw_selected(images, seed), self.change)

    def per_image_op(self, images, seed, shape):
        if not per_image.is_large(shape):
            return None
        return per_image.conditional_op(self.change, self.draw_selected(images, seed), shape=shape)

    def draw_selected(self, images: Tensor, seed: Tensor) -> Tensor:
        """Draws which images are changed: bool `(B,)`."""
        return self.uniform(images, seed, 1)[:, 0] < self.probability

    def change(self, images: Tensor) -> Tensor:
        """Changes a batch of images `(B, H, W, C)` or one image `(H, W, C)`."""
        raise NotImplementedError


def apply_transform(view, images, seed, **options):
    """Calls the `transform` of a view. Only that of a user is traced with AutoGraph."""
    transform = view.transform
    is_ours = type(view).transform.__module__.startswith("keras_ssl.")
    if not is_ours and uses_tensorflow() and not tf.executing_eagerly():
        transform = tf.function(transform)
    return transform(images, seed, **options)


def fold_in(seed, *data):
    """Folds integers and strings into a seed, one after the other. Returns an int32 pair."""
    for value in data:
        number = zlib.crc32(value.encode()) >> 1 if isinstance(value, str) else value
        seed = draws.fold_in(seed, number)
    return seed


def to_unit_range(images):
    """Returns validated images, uint8 or float, as float32 in 0..1."""
    if is_uint8(images):
        return ops.cast(images, "float32") / 255.0
    return ops.clip(ops.cast(images, "float32"), 0.0, 1.0)


def is_uint8(images):
    """Returns whether images are uint8."""
    return keras.backend.standardize_dtype(images.dtype) == "uint8"


def validate_images(images):
    """Returns a batch of images as a tensor; raises for anything else."""
    images = ops.convert_to_tensor(images)
    dtype = keras.backend.standardize_dtype(images.dtype)
    if dtype != "uint8" and not keras.backend.is_float_dtype(dtype):
        raise TypeError(f"`images` must be uint8 (0..255) or float (0..1), received dtype {dtype}.")
    if uses_tensorflow() and images.shape.rank is None:
        raise ValueError("`images` must have a known rank: a batch (B, H, W, C).")
    if len(images.shape) != 4 or images.shape[-1] not in CHANNELS:
        raise ValueError(
            f"`images` must be a batch (B, H, W, C) with 1, 3 or 4 channels, received shape "
            f"{tuple(images.shape)}."
        )
    return images


def as_seed(seed):
    """Returns a seed as an int32 tensor `(2,)`; raises for anything else."""
    try:
        tensor = ops.convert_to_tensor(seed)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`seed` must be two integers, received {seed!r}.") from error
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if not keras.backend.is_int_dtype(dtype):
        raise TypeError(f"`seed` must be two integers, received dtype {dtype}.")
    is_known = not uses_tensorflow() or tensor.shape.rank is not None
    if is_known and tuple(tensor.shape) != (2,):
        raise ValueError(f"`seed` must be two integers, received shape {tuple(tensor.shape)}.")
    return ops.cast(tensor, "int32")


def apply_where(images, selected, function, *parameters):
    """Applies a function to the selected images of a batch.

    Args:
        images: `(B, H, W, C)`.
        selected: Bool `(B,)`.
        function: Maps the selected images and their rows of `parameters` to images of the same
            shape.
        *parameters: Tensors with the batch as their first axis.

    Returns:
        `(B, H, W, C)`: the changed images and, unchanged, all others.
    """
    if not selects_images():
        changed = function(images, *parameters)
        return ops.where(selected[:, None, None, None], changed, images)
    indices = tf.where(selected)
    inputs = [tf.gather(x, indices[:, 0]) for x in (images, *parameters)]
    return tf.tensor_scatter_nd_update(images, indices, function(*inputs))

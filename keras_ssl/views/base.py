"""What every view is: a frozen, serializable function of a batch of images and a seed."""

import dataclasses
import zlib

import keras
import tensorflow as tf

CHANNELS = (1, 3, 4)

# For code of ours that holds no `if` on a tensor: AutoGraph would take longer to rewrite it than
# TensorFlow takes for all else before the first step.
no_autograph = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class View:
    """A random function of a batch of images, with no state: the same seed gives the same pixels.

    Calling a view does not touch, and does not depend on, any global random state. Each image of
    the batch is drawn independently. A view of one's own is a frozen dataclass with a
    `transform`; decorated with `@keras.saving.register_keras_serializable()`, it can be saved.

        @keras.saving.register_keras_serializable()
        @dataclasses.dataclass(frozen=True)
        class Darken(keras_ssl.views.View):
            strength: float = 0.5

            def transform(self, images, seed):
                draws = self.draws(images, seed, 1)
                return images * (1 - self.strength * draws[:, :, None, None])

    Args:
        *fields: None here; the settings of a kind of view, as `strength` above.
    """

    def __init_subclass__(cls, calls_others=False, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith(__package__) and not calls_others:
            for name in {"transform", "plan"} & set(vars(cls)):
                setattr(cls, name, no_autograph(getattr(cls, name)))

    def __call__(self, images, seed):
        """Draws one view of each image.

        Args:
            images: `(B, H, W, C)`, uint8 0..255 or float 0..1; C is 1, 3 or 4 (RGBA).
            seed: Two integers: an int32 tensor `(2,)`, an array or a pair.

        Returns:
            float32 tensor `(B, height, width, C)` in 0..1.

        Raises:
            TypeError: If `images` is neither uint8 nor float, or `seed` is not of integers.
            ValueError: If `images` or `seed` has another shape.
        """
        images = validate_images(images)
        is_taken = self.takes_bytes and images.dtype == tf.uint8
        return self.transform(images if is_taken else to_unit_range(images), as_seed(seed))

    def transform(self, images, seed):
        """Does the work: `images` are float32 in 0..1, `seed` is an int32 tensor `(2,)`."""
        raise NotImplementedError

    def plan(self, images, seed, shape):
        """Says what happens to each image by itself, where that is the faster way.

        Only what a class itself defines counts: a subclass may have a `transform` of its own.

        Args:
            images: The batch, of which only the number of images counts.
            seed: As in `transform`.
            shape: Static shape `(H, W, C)` of the images when their turn has come.

        Returns:
            `per_image.PerImageOp`, or None where `transform` changes the batch at once.
        """
        return None

    @property
    def takes_bytes(self):
        """Whether `transform` takes uint8 images too."""
        return False

    @no_autograph
    def draws(self, images, seed, count):
        """Returns `count` numbers for each image, uniform in 0..1: float32 `(B, count)`.

        The seed is folded with the name of the class, so that two kinds of views that are given
        one seed do not draw the same numbers.
        """
        return tf.random.stateless_uniform(
            (tf.shape(images)[0], count), fold_in(seed, type(self).__name__)
        )

    def get_config(self):
        """Returns the constructor's arguments in a form that can be saved."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config):
        """Makes a view from what `get_config` returned."""
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def _set(self, **values):
        """Stores checked arguments in `__post_init__`, where the dataclass is frozen already."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


@no_autograph
def fold_in(seed, *what):
    """Mixes integers and names into a seed, one after the other: another int32 pair."""
    for each in what:
        number = zlib.crc32(each.encode()) >> 1 if isinstance(each, str) else each
        seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32))
    return seed


@no_autograph
def to_unit_range(images):
    """Returns a batch of images, as `checked` returns it, as float32 in 0..1."""
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    return tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 1.0)


@no_autograph
def validate_images(images):
    """Returns a batch of images as a tensor; raises unless it is one."""
    images = tf.convert_to_tensor(images)
    if images.dtype != tf.uint8 and not images.dtype.is_floating:
        raise TypeError(
            f"`images` must be uint8 (0..255) or float (0..1), received dtype {images.dtype.name}."
        )
    if images.shape.rank is None:
        raise ValueError("`images` must have a known rank: a batch (B, H, W, C).")
    if images.shape.rank != 4 or images.shape[-1] not in CHANNELS:
        raise ValueError(
            f"`images` must be a batch (B, H, W, C) with 1, 3 or 4 channels, received shape "
            f"{tuple(images.shape)}."
        )
    return images


@no_autograph
def as_seed(seed):
    """Returns a seed as an int32 tensor `(2,)`."""
    try:
        tensor = tf.convert_to_tensor(seed)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`seed` must be two integers, received {seed!r}.") from error
    if not tensor.dtype.is_integer:
        raise TypeError(f"`seed` must be two integers, received dtype {tensor.dtype.name}.")
    if tensor.shape.rank is not None and tensor.shape != (2,):
        raise ValueError(f"`seed` must be two integers, received shape {tuple(tensor.shape)}.")
    return tf.cast(tensor, tf.int32)


def apply_where(images, chosen, function, *parameters):
    """Applies a function to some images of a batch and leaves the others as they are.

    Args:
        images: `(B, H, W, C)`.
        chosen: Bool `(B,)`.
        function: From the chosen images and their rows of `parameters` to images of equal shape.
        *parameters: Tensors with the batch as their first axis.
    """
    rows = tf.where(chosen)
    picked = [tf.gather(x, rows[:, 0]) for x in (images, *parameters)]
    return tf.tensor_scatter_nd_update(images, rows, function(*picked))

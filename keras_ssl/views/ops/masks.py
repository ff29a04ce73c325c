"""Random masks of patches, drawn in the input pipeline like views."""

import dataclasses
import math

import keras

from keras_ssl.validation import as_size, check_fraction, check_interval
from keras_ssl.views.backend import ops
from keras_ssl.views.base import View

NUM_RECTANGLES = 16  # candidates per image; those that do not fit are skipped
MIN_PATCHES = 4  # of a rectangle
MIN_ASPECT = 0.3  # of a rectangle; the largest is 1 / 0.3


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class RandomMask(View):
    """Masks a fixed number of patches of each image, chosen uniformly.

    It returns a bool tensor `(B, rows * columns)`, row by row, instead of images. True means
    masked.

    Args:
        grid: Int > 0, or pair `(rows, columns)`, the patches of an image.
        ratio: Float in 0..1, the fraction of masked patches; rounded down to whole patches.

    Raises:
        TypeError: If `ratio` is not a number.
        ValueError: If an argument is out of range.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, section 3.
    """

    grid: int | tuple[int, int]
    ratio: float = 0.75

    runs_on_device = True

    def __post_init__(self):
        self._set(grid=as_size(self.grid, "grid"))
        check_fraction(ratio=self.ratio)

    @property
    def num_masked(self) -> int:
        """Number of masked patches of each image."""
        return int(self.ratio * math.prod(as_size(self.grid)))

    def transform(self, images, seed):
        num_patches = math.prod(self.grid)
        draws = self.uniform(images, seed, num_patches)
        return _mask_lowest(draws, self.num_masked)


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True)
class BlockMask(View):
    """Masks rectangles of patches in some of the images.

    It returns a bool tensor `(B, rows * columns)`, row by row, instead of images. True means
    masked. Rectangles have at least 4 patches and an aspect ratio of 0.3 to 3.3. They are added
    while they fit the masking ratio; the remainder is filled with single patches.

    Args:
        grid: Int > 0, or pair `(rows, columns)`, the patches of an image.
        ratio: Pair of floats in 0..1. The masked fraction of an image is uniform between them;
            rounded to whole patches.
        probability: Float in 0..1, how often an image is masked at all.

    Raises:
        TypeError: If `ratio` is not a pair of numbers, or `probability` is not a number.
        ValueError: If an argument is out of range.

    Source:
        Oquab et al. 2023, https://arxiv.org/abs/2304.07193, and the authors' code. Rectangles of
        Bao et al. 2021, https://arxiv.org/abs/2106.08254, algorithm 1.
    """

    grid: int | tuple[int, int]
    ratio: tuple[float, float] = (0.1, 0.5)
    probability: float = 0.5

    runs_on_device = True

    def __post_init__(self):
        check_interval(0, 1, ratio=self.ratio)
        self._set(grid=as_size(self.grid, "grid"), ratio=tuple(self.ratio))
        check_fraction(probability=self.probability)

    def transform(self, images, seed):
        num_patches, num_draws = math.prod(self.grid), 4 * NUM_RECTANGLES
        draws = self.uniform(images, seed, 2 + num_draws + num_patches)
        is_masked, fraction = draws[:, 0] < self.probability, draws[:, 1]
        low, high = self.ratio
        target = ops.round((low + fraction * (high - low)) * num_patches)
        target = ops.where(is_masked, target, 0.0)
        rectangle_draws = ops.reshape(draws[:, 2 : 2 + num_draws], (-1, NUM_RECTANGLES, 4))
        mask = ops.zeros((ops.shape(images)[0], num_patches), "bool")
        for index in range(NUM_RECTANGLES):
            room = target - _count(mask)
            candidate = mask | self._rectangle(rectangle_draws[:, index], room)
            mask = ops.where((_count(candidate) <= target)[:, None], candidate, mask)
        patch_draws = ops.where(mask, 2.0, draws[:, 2 + num_draws :])
        return mask | _mask_lowest(patch_draws, ops.cast(target - _count(mask), "int32")[:, None])

    def _rectangle(self, draws, room):
        """Returns one rectangle for each image: bool `(B, rows * columns)`."""
        rows, columns = self.grid
        area = MIN_PATCHES + draws[:, 0] * ops.maximum(room - MIN_PATCHES, 0.0)
        aspect = ops.exp((2 * draws[:, 1] - 1) * math.log(1 / MIN_ASPECT))
        in_rows = _interval(rows, ops.sqrt(area * aspect), draws[:, 2])
        in_columns = _interval(columns, ops.sqrt(area / aspect), draws[:, 3])
        return ops.reshape(in_rows[:, :, None] & in_columns[:, None, :], (-1, rows * columns))


def _interval(side, length, draws):
    """Returns which positions along one side an interval covers: bool `(B, side)`."""
    length = ops.clip(ops.round(length), 1.0, float(side))
    start = ops.floor(draws * (side - length + 1))
    positions = ops.arange(side, dtype="float32")
    return (positions >= start[:, None]) & (positions < (start + length)[:, None])


def _count(mask):
    return ops.sum(ops.cast(mask, "float32"), axis=1)


def _mask_lowest(draws, count):
    """Returns a mask of the `count` lowest numbers of each row."""
    rank = ops.argsort(ops.argsort(draws, axis=1), axis=1)
    return rank < count

"""Types in the signatures of the package."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras

Tensor: TypeAlias = Any  # a tensor of the backend, a NumPy array or a `keras.KerasTensor`
Dataset: TypeAlias = Any  # a `tf.data.Dataset`; TensorFlow may be absent
Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
FloatOrSchedule: TypeAlias = float | Schedule
Shape: TypeAlias = tuple[Any, ...]  # ints; None stands for any size
PathLike: TypeAlias = str | os.PathLike[str]
Size: TypeAlias = int | tuple[int, int]
View: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # `view(images, seed) -> images`
Views: TypeAlias = Sequence[View]
Head: TypeAlias = Sequence[int] | keras.Layer  # widths of dense layers, or any layer

"""Options and steps that every recipe shares."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import keras

from keras_ssl import callbacks, data, distribute
from keras_ssl._types import Dataset
from keras_ssl.callbacks.checkpoint_files import CheckpointInfo
from keras_ssl.validation import check_int

# Options that do not change what is trained: a run resumes with other values of them.
NOT_SAVED = ("output", "data_dir", "baselines", "save_steps", "save_minutes")


@dataclasses.dataclass(frozen=True)
class Config:
    """Options for the data, the encoder, the hardware and the output directory.

    Args:
        output: Directory for the config, logs, checkpoints, models and plots.
        dataset: "digits", a TensorFlow Datasets name such as cifar10, or a directory of images.
        data_dir: Directory of TensorFlow Datasets. None for its default directory.
        image_size: Side in pixels that images are resized to. Required if they differ in size.
        encoder: The network to train.
        patch_size: Vision transformers only: side of a patch in pixels. None for an eighth of the
            image's shorter side, clipped to 2..16, or the next size that divides the image.
        width: Vision transformers only: width of a token. None for the encoder's default.
        depth: Vision transformers only: number of blocks. None for the encoder's default.
        heads: Vision transformers only: number of attention heads. None for the encoder's default.
        precision: Keras dtype policy.
        strategy: "mirrored" trains on all accelerators of this machine, "multiworker" on those of
            all machines in TF_CONFIG, "data_parallel" on all devices of JAX.
        probe_every: Number of epochs between two evaluations.
        save_steps: Number of steps between two checkpoints. The end of an epoch is saved too.
        save_minutes: Minutes between two checkpoints, instead of steps and epochs. Use it on a
            GPU, where saving may take as long as an epoch. The last epoch is always saved.
        baselines: Also evaluate raw pixels and the untrained encoder.
        seed: Seed of the weights, the views and the order of the images.
    """

    output: Path
    dataset: str = "digits"
    data_dir: Path | None = None
    image_size: int | None = None
    encoder: Literal[
        "small_resnet",
        "resnet18",
        "resnet34",
        "resnet50",
        "wide_resnet",
        "vit_tiny",
        "vit_small",
        "vit_base",
    ] = "small_resnet"
    patch_size: int | None = None
    width: int | None = None
    depth: int | None = None
    heads: int | None = None
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    strategy: Literal["none", "mirrored", "multiworker", "data_parallel"] = "none"
    probe_every: int = 5
    save_steps: int = 500
    save_minutes: float | None = None
    baselines: bool = True
    seed: int = 0

    @property
    def flip(self) -> bool:
        """Whether views may mirror an image. Mirrored digits are not digits."""
        return self.dataset != "digits"

    def options_of(self, config_class: type["Config"]) -> dict[str, Any]:
        """Returns the values of the options that `config_class` has, as a dict."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(config_class)}


def setup(config: Config) -> Any:
    """Sets the distribution strategy, the seed and the precision of the process.

    This does not create the output directory: a mistake in the options leaves nothing behind.

    Returns:
        The distribution strategy.

    Raises:
        ValueError: If the output directory holds a run with other options.
    """
    strategy = distribute.strategy(config.strategy)  # workers connect before any computation
    if (config.output / "config.json").exists():
        open_run_dir(config)
    data.tune_allocator()
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    return strategy


def load_data(config: Config) -> tuple[Dataset, Dataset]:
    """Returns the training and the test images, see `keras_ssl.data.load_train_and_test`."""
    return data.load_train_and_test(
        config.dataset, image_size=config.image_size, data_dir=config.data_dir
    )


def image_shape(dataset: Dataset) -> tuple[int, int, int]:
    """Returns the shape `(height, width, channels)` of the images in an unbatched dataset."""
    return tuple(keras.tree.flatten(dataset.element_spec)[0].shape)


def count_steps(train: Dataset, epochs: int, batch_size: int) -> int:
    """Returns the number of steps in a run. The last partial batch of an epoch is dropped.

    Args:
        train: Unbatched dataset of training images.
        epochs: Int >= 1, number of passes over the images.
        batch_size: Int >= 1, number of images in a step, over all devices.

    Raises:
        ValueError: If a number is below 1, or a batch needs more images than there are.
    """
    check_int(1, epochs=epochs, batch_size=batch_size)
    num_images = int(train.cardinality())
    if num_images < batch_size:
        raise ValueError(
            f"`batch_size` must be at most the number of training images, {num_images}. Received "
            f"{batch_size}."
        )
    return epochs * (num_images // batch_size)


def open_run_dir(config: Config) -> CheckpointInfo:
    """Creates the output directory, or finds the latest checkpoint in it.

    Returns:
        The latest checkpoint, see `keras_ssl.callbacks.latest_checkpoint`.

    Raises:
        ValueError: If the directory holds a run with other options.
    """
    options = dataclasses.asdict(config)
    for name in NOT_SAVED:
        del options[name]
    return callbacks.prepare_run_dir(config.output, options)


def checkpoint_callback(config: Config) -> callbacks.Checkpoint:
    """Returns the callback that saves a run as often as the options say."""
    often: dict[str, Any] = {"save_every_steps": config.save_steps}
    if config.save_minutes is not None:
        often = {"save_every_epochs": None, "save_every_minutes": config.save_minutes}
    return callbacks.Checkpoint(config.output / "checkpoints", **often)


def write_time(config: Config, epochs: int, seconds: float) -> None:
    """Writes the training time to `time.json`, unless there was no epoch left to train."""
    if epochs > 0:
        times = {"epochs": epochs, "seconds": round(seconds, 1)}
        (config.output / "time.json").write_text(json.dumps(times) + "\n")

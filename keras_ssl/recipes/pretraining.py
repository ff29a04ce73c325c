"""Options, optimizers and the run of the self-supervised recipes."""

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import tyro

from keras_ssl import callbacks, data, distribute, evaluation, models
from keras_ssl._types import Dataset, Schedule, Views
from keras_ssl.recipes import base
from keras_ssl.recipes.encoders import encoder, patch_size, vit

__all__ = ["Config", "adamw", "encoder", "main", "patch_size", "run", "sgd", "vit"]


@dataclasses.dataclass(frozen=True)
class Config(base.Config):
    """Options of the self-supervised recipes.

    Args:
        epochs: Number of passes over the images.
        batch_size: Number of images in a step, over all devices.
        learning_rate: Peak learning rate at a batch size of 256; it scales with the batch size.
        weight_decay: Decoupled weight decay.
    """

    epochs: int = 200
    batch_size: int = 256
    learning_rate: float = 0.12
    weight_decay: float = 5e-4

    @property
    def peak_learning_rate(self) -> float:
        """Learning rate for the batch size (Goyal et al. 2017, linear scaling)."""
        return self.learning_rate * self.batch_size / 256

    @property
    def averages_views(self) -> bool:
        """Whether to also evaluate the mean features over the views of an image."""
        return False


Build = Callable[[Any, tuple[int, int, int], int], tuple[keras.Model, Views]]


def sgd(config: Config, total_steps: int) -> keras.optimizers.Optimizer:
    """Returns SGD with momentum 0.9 whose learning rate falls on a cosine to 0."""
    schedule = keras.optimizers.schedules.CosineDecay(config.peak_learning_rate, total_steps)
    return keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=config.weight_decay)


def adamw(
    config: Config, total_steps: int, warmup: bool = False, **kwargs: Any
) -> keras.optimizers.Optimizer:
    """Returns AdamW whose learning rate falls on a cosine to 0.

    Args:
        config: Options of the run.
        total_steps: Int, number of steps in the run.
        warmup: Bool, whether the learning rate first rises from 0 over a tenth of the run.
        **kwargs: Further arguments of `keras.optimizers.AdamW`.
    """
    schedule = keras.optimizers.schedules.CosineDecay(config.peak_learning_rate, total_steps)
    if warmup:
        schedule = _warmup_cosine(config.peak_learning_rate, total_steps)
    return keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, **kwargs)


def _warmup_cosine(peak: float, total_steps: int) -> Schedule:
    warmup_steps = max(1, total_steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        0.0, total_steps - warmup_steps, warmup_target=peak, warmup_steps=warmup_steps
    )


def main(config_class: type[Config], build: Build, **hooks: Callable) -> None:
    """Parses the command line of a recipe and runs it.

    Args:
        config_class: Dataclass of the options.
        build: See `run`.
        **hooks: See `run`.
    """
    description = sys.modules[config_class.__module__].__doc__
    run(tyro.cli(config_class, description=description), build, **hooks)


def run(
    config: Config,
    build: Build,
    *,
    add_captions: Callable[[Any, Dataset], Dataset] | None = None,
    report: Callable[[Any, keras.Model, Views, Dataset], None] | None = None,
) -> keras.Model:
    """Trains a model, evaluates its features and writes everything to `config.output`.

    Run it again with the same options to resume an interrupted run.

    Args:
        config: Options of the run.
        build: Function `build(config, image_shape, total_steps) -> (model, views)` that returns
            the compiled model.
        add_captions: Function `add_captions(config, train) -> pairs` that returns the images and
            captions to train on. None to train on the images.
        report: Function `report(config, model, views, test)` that reports on the trained model,
            in addition to what every recipe reports.

    Returns:
        The trained model.

    Raises:
        ValueError: If the output directory holds a run with other options.
    """
    # Data. Labels, if any, serve the evaluation; only methods such as SupCon train on them.
    strategy = base.setup(config)
    train, test = base.load_data(config)
    has_labels = len(keras.tree.flatten(train.element_spec)) > 1
    image_shape = base.image_shape(train)
    total_steps = base.count_steps(train, config.epochs, config.batch_size)

    # Model, from the latest checkpoint if the run was interrupted.
    with strategy.scope():
        untrained, views = build(config, image_shape, total_steps)
        checkpoint = base.open_run_dir(config)
        model = keras.saving.load_model(checkpoint.path) if checkpoint.path else untrained
    baselines = evaluation.baselines(untrained, train, test) if config.baselines else {}

    # Training.
    output = config.output
    training_data = add_captions(config, train) if add_captions else train
    training_callbacks = [
        *([callbacks.KNNProbe(train, test, every=config.probe_every)] if has_labels else []),
        callbacks.CollapseMonitor(test, every=config.probe_every),
        callbacks.ResumableCSVLogger(output / "history.csv"),
        base.checkpoint_callback(config),
    ]
    start_time = time.perf_counter()
    model.fit(
        data.make_views(training_data, views, config.batch_size, seed=config.seed),
        epochs=config.epochs,
        initial_epoch=checkpoint.epoch,
        initial_step=checkpoint.step,
        callbacks=training_callbacks,
        verbose=2,
    )
    seconds = time.perf_counter() - start_time

    # Evaluation, by one process.
    if not distribute.is_chief(model):
        return model
    base.write_time(config, config.epochs - checkpoint.epoch, seconds)
    model.save(output / "model.keras")
    model.export_encoder(output / "encoder")
    history = callbacks.read_history(output / "history.csv")
    average = views if config.averages_views else None
    table = evaluation.report(
        model, baselines, train, test, output, history, views, average=average
    )
    if hasattr(model.encoder, "attention_maps"):
        images, _ = evaluation.read_images(test, 8)
        evaluation.plots.plot_attention(model.encoder, images, output / "attention.png")
    exported = output / "encoder" / ("image" if isinstance(model, models.CLIP) else "")
    print(
        f"{table}\n\n"
        f"{output} contains config.json, history.csv, time.json, results.json, table.txt and the "
        "plots views.png, curves.png, map.png and neighbors.png (and attention.png for a vision "
        "transformer).\n"
        f'Load it in Keras:       model = keras.saving.load_model("{output / "model.keras"}")\n'
        f'Load it in TensorFlow:  encoder = tf.saved_model.load("{exported}")\n'
        "                        features = encoder.serve(uint8_images)"
    )
    if report is not None:
        report(config, model, views, test)
    return model

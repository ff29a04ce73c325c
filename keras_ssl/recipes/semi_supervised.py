"""Options, optimizer and the run of the semi-supervised recipes."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tyro

from keras_ssl import callbacks, data, distribute, evaluation, models, optimizers, schedules
from keras_ssl import views as all_views
from keras_ssl._types import Dataset, View
from keras_ssl.recipes import base, encoders


@dataclasses.dataclass(frozen=True)
class Config(base.Config):
    """Options of the semi-supervised recipes.

    The defaults suit digits. The recipes show the settings of the papers for CIFAR-10.

    Args:
        labels_per_class: Number of labeled images in each class.
        label_seed: Seed that selects the labeled images.
        pretrained: `.keras` file of a self-supervised model whose encoder is fine-tuned. It
            replaces `--encoder`. None to train from scratch.
        epochs: Number of passes over the unlabeled images.
        batch_size: Number of labeled images in a step, over all devices.
        unlabeled_ratio: Number of unlabeled images for each labeled image in a step.
        learning_rate: Initial learning rate. It falls on 7/16 of a cosine.
        weight_decay: L2 weight decay of the kernels, added to the gradient.
        ema_momentum: Momentum of the averaged (EMA) weights.
    """

    labels_per_class: int = 4
    label_seed: int = 0
    pretrained: Path | None = None
    epochs: int = 60
    batch_size: int = 32
    unlabeled_ratio: int = 3
    learning_rate: float = 0.03
    weight_decay: float = 5e-4
    ema_momentum: float = 0.95


Build = Callable[[Any, tuple[int, int, int], int, int], tuple[keras.Model, tuple[View, View]]]


def classifier(config: Config, image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Builds a classifier: a new or a pretrained encoder, and a dense layer.

    Args:
        config: Options of the run.
        image_shape: `(height, width, channels)`.
        num_classes: Int, number of logits.
    """
    if config.pretrained is None:
        encoder = encoders.encoder(config, image_shape)
    else:
        encoder = keras.saving.load_model(config.pretrained, compile=False).encoder
        encoder.trainable = True
    return models.classifier(encoder, num_classes)


def sgd(config: Config, total_steps: int) -> keras.optimizers.Optimizer:
    """Returns FixMatch's optimizer: SGD with Nesterov momentum 0.9 and a cosine decay."""
    schedule = schedules.FixMatchCosineDecay(config.learning_rate, total_steps)
    return optimizers.L2SGD(schedule, momentum=0.9, nesterov=True, weight_decay=config.weight_decay)


def views(config: Config, image_shape: tuple[int, int, int]) -> tuple[View, View]:
    """Returns FixMatch's weak and strong views."""
    size = image_shape[:2]
    weak = all_views.fixmatch_weak(size, flip=config.flip)
    return weak, all_views.fixmatch_strong(size, flip=config.flip)


def main(config_class: type[Config], build: Build) -> None:
    """Parses the command line of a recipe and runs it.

    Args:
        config_class: Dataclass of the options.
        build: See `run`.
    """
    description = sys.modules[config_class.__module__].__doc__
    run(tyro.cli(config_class, description=description), build)


def run(config: Config, build: Build) -> keras.Model:
    """Trains a model, evaluates its EMA weights and writes everything to `config.output`.

    Run it again with the same options to resume an interrupted run.

    Args:
        config: Options of the run.
        build: Function `build(config, image_shape, num_classes, total_steps) -> (model, (weak,
            strong))` that returns the compiled model.

    Returns:
        The trained model.

    Raises:
        ValueError: If the output directory holds a run with other options, the dataset has no
            labels, or a class has fewer images than `labels_per_class`.
    """
    # Data. The unlabeled images are all training images.
    strategy = base.setup(config)
    train, test = base.load_data(config)
    labeled, unlabeled = data.split_labels(train, config.labels_per_class, config.label_seed)
    num_classes = 1 + max(int(label) for _, label in labeled.as_numpy_iterator())
    image_shape = base.image_shape(train)
    total_steps = base.count_steps(train, config.epochs, config.batch_size * config.unlabeled_ratio)

    # Model, from the latest checkpoint if the run was interrupted.
    with strategy.scope():
        model, (weak, strong) = build(config, image_shape, num_classes, total_steps)
        checkpoint = base.open_run_dir(config)
        if checkpoint.path:
            model = keras.saving.load_model(checkpoint.path)

    # Training.
    output = config.output
    training_data = data.semi_supervised(
        labeled,
        unlabeled,
        config.batch_size,
        config.unlabeled_ratio,
        weak=weak,
        strong=strong,
        seed=config.seed,
    )
    start_time = time.perf_counter()
    model.fit(
        training_data,
        epochs=config.epochs,
        initial_epoch=checkpoint.epoch,
        initial_step=checkpoint.step,
        validation_data=test.batch(256),
        validation_freq=config.probe_every,
        callbacks=[
            callbacks.ResumableCSVLogger(output / "history.csv"),
            base.checkpoint_callback(config),
        ],
        verbose=2,
    )
    seconds = time.perf_counter() - start_time

    # Evaluation, by one process.
    if not distribute.is_chief(model):
        return model
    base.write_time(config, config.epochs - checkpoint.epoch, seconds)
    model.save(output / "model.keras")
    model.export(output / "classifier", verbose=False)
    model.export_encoder(output / "encoder")
    logits, labels = evaluation.extract_features(model, test)
    assert labels is not None  # as `load_train_and_test` ensures
    results = {
        **accuracy_and_loss(logits, labels),
        "labels_per_class": config.labels_per_class,
        "label_seed": config.label_seed,
        "seed": config.seed,
        "steps": total_steps,
    }
    (output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    evaluation.plots.plot_confusion_matrix(logits, labels, output / "confusion.png")
    plot(config, model, (weak, strong), unlabeled, test)
    print(
        f"Test accuracy {100 * results['accuracy']:.1f} % on {len(labels)} images, with "
        f"{config.labels_per_class} labels for each of "
        f"{num_classes} classes (label seed {config.label_seed}, seed {config.seed}), by the EMA "
        f"weights after {total_steps} steps.\n\n"
        f"{output} contains config.json, history.csv, time.json, results.json and the plots "
        "curves.png, views.png, pseudo_labels.png and confusion.png.\n"
        f'Load it in Keras:       model = keras.saving.load_model("{output / "model.keras"}")\n'
        f'Load it in TensorFlow:  classifier = tf.saved_model.load("{output / "classifier"}")\n'
        "                        logits = classifier.serve(uint8_images)"
    )
    return model


def accuracy_and_loss(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns the accuracy and the cross-entropy of logits `(N, K)` and labels `(N,)`."""
    log_normalizers = np.logaddexp.reduce(logits.astype("float64"), axis=1)
    label_logits = logits[np.arange(len(labels)), labels]
    return {
        "accuracy": float(np.mean(logits.argmax(axis=1) == labels)),
        "loss": float(np.mean(log_normalizers - label_logits)),
    }


def plot(
    config: Config,
    model: keras.Model,
    weak_and_strong: tuple[View, View],
    unlabeled: Dataset,
    test: Dataset,
) -> None:
    """Plots the pseudo-labels, the views and the training curves."""
    output, plots = config.output, evaluation.plots
    logits, labels = evaluation.extract_features(model, unlabeled)
    plots.plot_pseudo_label_counts(logits, output / "pseudo_labels.png", labels=labels)
    images, _ = evaluation.read_images(test, 8)
    plots.plot_views(images, weak_and_strong, output / "views.png", names=("weak", "strong"))
    plots.plot_history(callbacks.read_history(output / "history.csv"), output / "curves.png")

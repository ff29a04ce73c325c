"""What the recipes with few labels share: options, data, and all that stands around training."""

import dataclasses
import json
import time
from pathlib import Path

import keras
import numpy as np

from keras_ssl import callbacks, data, distribute, evaluation, models, optimizers, schedules, views
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class FewLabelRun(pretraining.Run):
    """Data, labels, classifier, optimizer and folder: every recipe with few labels takes these.

    The defaults suit digits; the paper's settings for CIFAR-10 stand in the recipes.

    Args:
        labels_per_class: Labels of each class.
        label_seed: Which images carry them.
        pretrained: A `.keras` file of a self-supervised model, whose encoder is trained further;
            `--encoder` then says nothing.
        epochs: Passes over the unlabeled images.
        batch_size: Labeled images in a step, over all devices.
        unlabeled_ratio: How many times as many unlabeled images.
        learning_rate: At the start; falls on 7/16 of a cosine.
        weight_decay: How much of each kernel is added to its gradient.
        ema_momentum: How much of the averaged weights stays at each step.
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
    probe_every: int = 5


@dataclasses.dataclass(frozen=True)
class Task:
    """The data of one run.

    Attributes:
        labeled: The images that keep their labels.
        unlabeled: All training images.
        test: Test images with labels.
        shape: `(height, width, channels)`.
        classes: Int, K.
        steps: Int, of the whole run.
    """

    labeled: object
    unlabeled: object
    test: object
    shape: tuple
    classes: int
    steps: int


def start(run, settings):
    """Sets the seed and the precision of a run, loads its images and keeps a few labels.

    Args:
        run: A `FewLabelRun`.
        settings: As in `runs.start`.

    Returns:
        A `Task`.

    Raises:
        ValueError: If the folder holds a run with other settings, the data cannot be loaded or has
            no labels, or a class has fewer images than asked.
    """
    train, test = pretraining.start(run, settings)
    labeled, unlabeled = data.split_labels(train, run.labels_per_class, run.label_seed)
    classes = 1 + max(int(label) for _, label in labeled.as_numpy_iterator())
    rows = run.batch_size * run.unlabeled_ratio
    steps = pretraining.count_steps(train, run.epochs, rows)
    return Task(labeled, unlabeled, test, pretraining.image_shape(train), classes, steps)


def new_classifier(run, task):
    """Makes the classifier of a run: a new encoder, or a pre-trained one, and a dense layer."""
    if run.pretrained is None:
        encoder = pretraining.new_encoder(run, task.shape)
    else:
        encoder = keras.saving.load_model(run.pretrained, compile=False).encoder
        encoder.trainable = True
    return models.classifier(encoder, task.classes)


def compiled(run, task, model):
    """Compiles a model with the optimizer of a run, and returns it."""
    rate = schedules.FixMatchCosineDecay(run.learning_rate, task.steps)
    model.compile(
        optimizers.L2SGD(rate, momentum=0.9, nesterov=True, weight_decay=run.weight_decay),
        metrics=["accuracy"],
    )
    return model


def train(run, settings, task, new_model, weak=None, strong=None):
    """Trains a model, tells how right it is on test images, and keeps all of it in a folder.

    A folder whose run was stopped is gone on with.

    Args:
        run: A `FewLabelRun`.
        settings: As in `runs.start`.
        task: What `start` returned.
        new_model: Function that makes the model, not yet compiled.
        weak: The weak view; None for `views.fixmatch_weak`, without flip on digits.
        strong: The strong view; None for `views.fixmatch_strong`, likewise.

    Returns:
        The trained model.
    """
    size = task.shape[:2]
    weak = weak or views.fixmatch_weak(size, flip=run.flip)
    strong = strong or views.fixmatch_strong(size, flip=run.flip)
    with distribute.strategy(run.strategy).scope():
        saved = pretraining.open_folder(run, settings)
        if saved.path:
            model = keras.saving.load_model(saved.path)
        else:
            model = compiled(run, task, new_model())
    x = data.semi_supervised(
        task.labeled,
        task.unlabeled,
        run.batch_size,
        run.unlabeled_ratio,
        weak=weak,
        strong=strong,
        seed=run.seed,
    )
    test = task.test.batch(256)
    began = time.perf_counter()
    model.fit(
        x,
        epochs=run.epochs,
        initial_epoch=saved.epoch,
        initial_step=saved.step,
        validation_data=test,
        validation_freq=run.probe_every,
        callbacks=[
            callbacks.ResumableCSVLogger(run.output / "history.csv"),
            callbacks.Checkpoint(run.output / "checkpoints", save_every_steps=run.save_steps),
        ],
        verbose=2,
    )
    seconds = time.perf_counter() - began
    if not distribute.is_chief(model):
        return model
    pretraining.write_time(run, run.epochs - saved.epoch, seconds)
    model.save(run.output / "model.keras")
    model.export(run.output / "classifier", verbose=False)
    model.export_encoder(run.output / "encoder")
    _report(run, task, model, (weak, strong))
    return model


def _report(run, task, model, two_views):
    """Measures the last averaged weights, and draws what there is to look at."""
    folder = run.output
    logits, labels = evaluation.extract_features(model, task.test)
    accuracy = float(np.mean(logits.argmax(axis=1) == labels))
    log_sum = np.logaddexp.reduce(logits.astype("float64"), axis=1)
    loss = float(np.mean(log_sum - logits[np.arange(len(labels)), labels]))
    results = {"accuracy": accuracy, "loss": loss, "labels_per_class": run.labels_per_class}
    results |= {"label_seed": run.label_seed, "seed": run.seed, "steps": task.steps}
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    evaluation.plots.plot_confusion_matrix(logits, labels, folder / "confusion.png")
    guessed, true = evaluation.extract_features(model, task.unlabeled)
    evaluation.plots.plot_pseudo_label_counts(guessed, folder / "pseudo_labels.png", labels=true)
    images, _ = evaluation.read_images(task.test, 8)
    evaluation.plots.plot_views(images, two_views, folder / "views.png", names=("weak", "strong"))
    evaluation.plots.plot_history(
        callbacks.read_history(folder / "history.csv"), folder / "curves.png"
    )
    print(
        f"Test accuracy {100 * accuracy:.1f} %, of {len(labels)} images, with {run.labels_per_class} "
        f"labels of each of {task.classes} classes (label seed {run.label_seed}, seed {run.seed}); "
        f"averaged weights after {task.steps} steps.\n\n"
        f"In {folder}: config.json, history.csv, time.json, results.json, and as pictures "
        "curves.png, views.png, pseudo_labels.png and confusion.png.\n"
        f'To go on in Keras:  model = keras.saving.load_model("{folder / "model.keras"}")\n'
        f'To use elsewhere:   classifier = tf.saved_model.load("{folder / "classifier"}")\n'
        "                    logits = classifier.serve(uint8_images)"
    )

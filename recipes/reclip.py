"""ReCLIP: Hu et al. 2023, https://arxiv.org/abs/2308.03793.

python recipes/reclip.py                                     # digits, bundled
python recipes/reclip.py --dataset cifar10 --encoder vit_tiny --clip-epochs 30 \
    --output runs/reclip_cifar10

Trains a CLIP (recipes/clip.py), spoils the images as another camera might, and adapts to the
spoiled training images, whose labels are not used. What it tells is of spoiled test images, after
the last epoch. RESULTS.md has figures on Fashion-MNIST and CIFAR-10.
"""

import json
import time
from pathlib import Path

import clip
import keras
import numpy as np
import tensorflow as tf
import tyro

import keras_ssl
from keras_ssl import callbacks, data, evaluation
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run


def main(
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    num_neighbors: int = 20,
    clip_epochs: int = 100,
    images: int | None = None,
    noise: float = 0.05,
    blur: float = 0.5,
    contrast: float = 0.8,
    cast: float = 0.05,
    run: Run = Run(Path("runs/reclip")),
) -> None:
    """Adapts a CLIP to spoiled images, tells what each part adds, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the spoiled training images.
        batch_size: Images in a step, over all devices.
        learning_rate: Of SGD with momentum 0.9 and weight decay 1e-4.
        num_neighbors: Of each image in the graph.
        clip_epochs: Of the CLIP, over images that are not spoiled.
        images: How many of the training images are spoiled and adapted to, the first ones; all of
            them if not given.
        noise: Standard deviation of noise, drawn pixel by pixel, in 0..1.
        blur: Share of each pixel that goes to its eight num_neighbors.
        contrast: What differences from mid gray are multiplied with.
        cast: What is added to the first channel, and taken off the last; of gray images added.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    if images is not None and images < 1:
        raise ValueError(f"`images` must be at least 1, received {images}.")
    train, test = pretraining.start(run, settings)
    source = run.output / "clip"
    if not (source / "clip.json").exists():
        options = {**vars(run), "output": source, "baselines": False}
        clip.main(epochs=clip_epochs, run=Run(**options))
    names = data.class_names(run.dataset, run.data_dir)
    if images is not None:
        train = train.take(images)
    train, test = (
        spoiled(part, noise, blur, contrast, cast, seed)
        for part, seed in ((train, run.seed), (test, run.seed + 1))
    )

    def made(**parts):
        trained = keras.saving.load_model(source / "model.keras", compile=False)
        return keras_ssl.ReCLIP(
            trained, names, templates=clip.TEMPLATES, **{"num_neighbors": num_neighbors, **parts}
        )

    results = without_training(made, train, test)
    saved = pretraining.open_folder(run, settings)
    model = keras.saving.load_model(saved.path) if saved.path else made(seed=run.seed)
    if not saved.path:
        model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9, weight_decay=1e-4))
    spoilt, truth = (np.stack(part) for part in zip(*train.as_numpy_iterator(), strict=True))
    began = time.perf_counter()
    model.fit(
        *(spoilt, truth),  # arrays, whose order is a function of the epoch; labels for the log
        batch_size=batch_size,
        epochs=epochs,
        initial_epoch=saved.epoch,
        validation_data=test.batch(256),
        callbacks=[
            callbacks.ResumableCSVLogger(run.output / "history.csv"),
            callbacks.Checkpoint(run.output / "checkpoints"),
        ],
        verbose=2,
    )
    pretraining.write_time(run, epochs - saved.epoch, time.perf_counter() - began)
    logits, labels = evaluation.extract_features(model, test)
    results["adapted, last epoch"] = float(np.mean(logits.argmax(axis=1) == labels))
    model.save(run.output / "model.keras")
    model.export(run.output / "classifier", verbose=False)
    (run.output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    history = callbacks.read_history(run.output / "history.csv")
    evaluation.plots.plot_history(history, run.output / "curves.png")
    evaluation.plots.plot_confusion_matrix(logits, labels, run.output / "confusion.png")
    original, _ = pretraining.start(run, settings)
    columns = [("image", next(original.batch(8).as_numpy_iterator())[0])]
    columns.append(("spoiled", spoilt[:8]))
    evaluation.plots.plot_images(columns, run.output / "images.png")
    for name, share in results.items():
        print(f"    {name:<44} {100 * share:5.1f} %")
    print(
        f"\nIn {run.output}: clip/, config.json, history.csv, time.json, results.json, and as "
        "pictures images.png, curves.png and confusion.png.\n"
        f'To go on in Keras:  model = keras.saving.load_model("{run.output / "model.keras"}")\n'
        f'To use elsewhere:   classifier = tf.saved_model.load("{run.output / "classifier"}")\n'
        "                    logits = classifier.serve(uint8_images)"
    )


def without_training(made, train, test):
    """What the parts of the method do before anything is trained, shares of images right."""
    batches, results = train.batch(256), {}
    truth = np.concatenate([labels for _, labels in batches.as_numpy_iterator()])
    before, labels = evaluation.extract_features(made(), test)
    results["before, spoiled test images"] = float(np.mean(before.argmax(axis=1) == labels))
    parts = {
        "neither": {"project_text": False, "num_neighbors": None},
        "projection": {"num_neighbors": None},
        "propagation": {"project_text": False},
        "both": {},
    }
    for name, options in parts.items():
        found, _ = made(**options).pseudo_labels(batches)
        results[f"pseudo-labels to train on, {name}"] = float(np.mean(found == truth))
    return results


def spoiled(dataset, noise, blur, contrast, cast, seed):
    """Images as another camera might take them: blurred, flat, tinted and with grain."""

    def spoil(index, element):
        image, label = element
        x = tf.cast(image, tf.float32)[None] / 255
        around = tf.nn.avg_pool2d(
            tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC"), 3, 1, "VALID"
        )
        x = ((1 - blur) * x + blur * around)[0]
        x = 0.5 + contrast * (x - 0.5)
        channels = image.shape[-1]
        tint = [cast, *[0.0] * (channels - 2), -cast] if channels > 1 else [cast]
        x = x + tf.constant(tint) + noise * tf.random.stateless_normal(tf.shape(x), [seed, index])
        return tf.cast(tf.round(255 * tf.clip_by_value(x, 0, 1)), tf.uint8), label

    spoilt = dataset.enumerate().map(spoil, num_parallel_calls=tf.data.AUTOTUNE)
    return spoilt.apply(tf.data.experimental.assert_cardinality(dataset.cardinality()))


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

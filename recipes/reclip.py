"""ReCLIP (Hu et al. 2023, https://arxiv.org/abs/2308.03793).

    python recipes/reclip.py                            # bundled digits
    python recipes/reclip.py --dataset cifar10 --encoder vit_tiny --clip-epochs 30 \
        --output runs/reclip_cifar10

Trains a CLIP (recipes/clip.py), corrupts the images to simulate another camera, and adapts the
model to the corrupted training images without their labels. The figures are accuracies on
corrupted test images after the last epoch. Results on Fashion-MNIST and CIFAR-10: RESULTS.md.
"""

import dataclasses
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
from keras_ssl.recipes import base
from keras_ssl.validation import check_int


@dataclasses.dataclass(frozen=True)
class Config(base.Config):
    """Options of ReCLIP and of the corruption.

    Args:
        epochs: Number of passes over the corrupted training images.
        batch_size: Number of images in a step, over all devices.
        learning_rate: Learning rate of SGD with momentum 0.9 and weight decay 1e-4.
        num_neighbors: Number of neighbors of an image in the graph of label propagation.
        clip_epochs: Number of passes of CLIP over the clean images.
        images: Number of training images to corrupt and adapt to, the first ones. None for all.
        noise: Standard deviation of the pixel noise, for pixels in 0..1.
        blur: Share of each pixel that comes from the mean of its 3x3 neighborhood.
        contrast: Factor of the difference from mid gray.
        cast: Color cast: added to the first channel and subtracted from the last. Added to the only
            channel of gray images.
    """

    output: Path = Path("runs/reclip")
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    num_neighbors: int = 20
    clip_epochs: int = 100
    images: int | None = None
    noise: float = 0.05
    blur: float = 0.5
    contrast: float = 0.8
    cast: float = 0.05


def run(config):
    """Trains CLIP, adapts it with ReCLIP and writes everything to `config.output`.

    Run it again with the same options to resume an interrupted run.
    """
    if config.images is not None:
        check_int(1, images=config.images)
    base.setup(config)
    clean_train, clean_test = base.load_data(config)
    clip_config = clip_options(config)
    if not (clip_config.output / "clip.json").exists():
        clip.run(clip_config)
    if config.images is not None:
        clean_train = clean_train.take(config.images)
    train = corrupt(config, clean_train, config.seed)
    test = corrupt(config, clean_test, config.seed + 1)

    results = evaluate_parts(config, clip_config, train, test)
    checkpoint = base.open_run_dir(config)
    if checkpoint.path:
        model = keras.saving.load_model(checkpoint.path)
    else:
        model = new_model(config, clip_config, seed=config.seed)
        model.compile(keras.optimizers.SGD(config.learning_rate, momentum=0.9, weight_decay=1e-4))

    output = config.output
    images, labels = (np.stack(part) for part in zip(*train.as_numpy_iterator(), strict=True))
    start_time = time.perf_counter()
    model.fit(
        images,  # an array, whose order is a function of the epoch
        labels,  # only for the log
        batch_size=config.batch_size,
        epochs=config.epochs,
        initial_epoch=checkpoint.epoch,
        validation_data=test.batch(256),
        callbacks=[
            callbacks.ResumableCSVLogger(output / "history.csv"),
            callbacks.Checkpoint(output / "checkpoints"),
        ],
        verbose=2,
    )
    base.write_time(config, config.epochs - checkpoint.epoch, time.perf_counter() - start_time)

    model.save(output / "model.keras")
    model.export(output / "classifier", verbose=False)
    logits, test_labels = evaluation.extract_features(model, test)
    results["adapted, last epoch"] = accuracy(logits, test_labels)
    (output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    plots = evaluation.plots
    plots.plot_history(callbacks.read_history(output / "history.csv"), output / "curves.png")
    plots.plot_confusion_matrix(logits, test_labels, output / "confusion.png")
    clean_images, _ = evaluation.read_images(clean_train, 8)
    columns = [("clean", clean_images), ("corrupted", images[:8])]
    plots.plot_images(columns, output / "images.png")
    for name, share in results.items():
        print(f"    {name:<44} {100 * share:5.1f} %")
    print(
        f"\n{output} contains clip/, config.json, history.csv, time.json, results.json and the "
        "plots images.png, curves.png and confusion.png.\n"
        f'Load it in Keras:       model = keras.saving.load_model("{output / "model.keras"}")\n'
        f'Load it in TensorFlow:  classifier = tf.saved_model.load("{output / "classifier"}")\n'
        "                        logits = classifier.serve(uint8_images)"
    )


def clip_options(config):
    """Returns the options of the CLIP that is adapted."""
    shared = config.options_of(base.Config)
    shared |= {"output": config.output / "clip", "baselines": False}
    return clip.Config(**shared, epochs=config.clip_epochs)


def new_model(config, clip_config, **kwargs):
    """Returns ReCLIP for the trained CLIP."""
    trained = keras.saving.load_model(clip_config.output / "model.keras", compile=False)
    names = data.class_names(config.dataset, config.data_dir)
    kwargs = {"num_neighbors": config.num_neighbors, **kwargs}
    return keras_ssl.ReCLIP(trained, names, templates=clip.TEMPLATES, **kwargs)


def evaluate_parts(config, clip_config, train, test):
    """Returns accuracies before training: of CLIP, and of the pseudo-labels of each part."""
    batches = train.batch(256)
    labels = np.concatenate([labels for _, labels in batches.as_numpy_iterator()])
    logits, test_labels = evaluation.extract_features(new_model(config, clip_config), test)
    results = {"before, spoiled test images": accuracy(logits, test_labels)}
    parts = {
        "neither": {"project_text": False, "num_neighbors": None},
        "projection": {"num_neighbors": None},
        "propagation": {"project_text": False},
        "both": {},
    }
    for name, options in parts.items():
        pseudo_labels, _ = new_model(config, clip_config, **options).pseudo_labels(batches)
        results[f"pseudo-labels to train on, {name}"] = float(np.mean(pseudo_labels == labels))
    return results


def accuracy(logits, labels):
    """Returns the share of correct predictions."""
    return float(np.mean(logits.argmax(axis=1) == labels))


def corrupt(config, dataset, seed):
    """Simulates another camera: blur, low contrast, a color cast and noise."""

    def corrupt_image(index, element):
        image, label = element
        x = tf.cast(image, tf.float32)[None] / 255
        padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        blurred = tf.nn.avg_pool2d(padded, 3, 1, "VALID")
        x = ((1 - config.blur) * x + config.blur * blurred)[0]
        x = 0.5 + config.contrast * (x - 0.5)
        channels = image.shape[-1]
        is_gray = channels == 1
        tint = [config.cast] if is_gray else [config.cast, *[0.0] * (channels - 2), -config.cast]
        noise = tf.random.stateless_normal(tf.shape(x), [seed, index])
        x = x + tf.constant(tint) + config.noise * noise
        return tf.cast(tf.round(255 * tf.clip_by_value(x, 0, 1)), tf.uint8), label

    corrupted = dataset.enumerate().map(corrupt_image, num_parallel_calls=tf.data.AUTOTUNE)
    return corrupted.apply(tf.data.experimental.assert_cardinality(dataset.cardinality()))


if __name__ == "__main__":
    run(tyro.cli(Config, description=__doc__))

"""What the recipes share: their common options, and all that stands around a method's training."""

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Literal

import keras

from keras_ssl import callbacks, data, distribute, encoders, evaluation
from keras_ssl.validation import check_int

SMALL = {"width": 48, "depth": 3, "heads": 3}  # a vision transformer for digits


@dataclasses.dataclass(frozen=True)
class Run:
    """Data, encoder, machine and folder: every recipe takes these.

    Args:
        output: Folder for settings, history, model, encoder, table and pictures.
        dataset: "digits", a TensorFlow Datasets name such as cifar10, or a folder of images.
        data_dir: Where TensorFlow Datasets keeps its data, if not in the usual place.
        image_size: Side in pixels to bring images to; needed where they differ in size.
        encoder: The network to train.
        patch_size: Of a vision transformer, in pixels a side. None for an eighth of the image's
            shorter side, 2 at least and 16 at most, or what is next to it and divides the image.
        width: Of a vision transformer's tokens, None for that of its name.
        depth: Blocks of a vision transformer, likewise.
        heads: Attention heads of a vision transformer, likewise.
        precision: Keras's dtype policy.
        strategy: "mirrored" trains on all accelerators of this machine, "multiworker" on those of
            all machines in TF_CONFIG, "data_parallel" on all devices of JAX.
        probe_every: Epochs from one measurement to the next.
        save_steps: Steps from one saved state to the next within epochs; the end of each epoch is
            saved in any case.
        baselines: Measure raw pixels and the untrained encoder too.
        seed: Of weights, views and the order of images.
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
    baselines: bool = True
    seed: int = 0

    @property
    def flip(self):
        """Whether views may mirror: a mirrored 2 is no digit."""
        return self.dataset != "digits"


def start(run, settings):
    """Sets the seed and the precision of a run and loads its images.

    A new folder is made by `train`: a mistake in the options leaves none behind.

    Args:
        run: A `Run`.
        settings: Dict of the recipe's own arguments, `locals()` at its first line: a folder goes on
            with the same settings only.

    Returns:
        The training images and the test images, as `data.load_train_and_test` gives them.

    Raises:
        ValueError: If the folder holds a run with other settings, or the data cannot be loaded.
    """
    distribute.strategy(run.strategy)  # workers must know each other before anything is computed
    if (run.output / "config.json").exists():
        open_folder(run, settings)
    keras.utils.set_random_seed(run.seed)
    keras.config.set_dtype_policy(run.precision)
    return data.load_train_and_test(run.dataset, image_size=run.image_size, data_dir=run.data_dir)


def image_shape(dataset):
    """Returns `(height, width, channels)` of a data set's images."""
    return tuple(keras.tree.flatten(dataset.element_spec)[0].shape)


def count_steps(train, epochs, batch_size):
    """Returns the steps of a whole run, for schedules: the last images of an epoch may fill none.

    Args:
        train: Training images, unbatched.
        epochs: Int >= 1, passes over the images.
        batch_size: Int >= 1, images in a step, over all devices.

    Raises:
        ValueError: If a number is below 1, or there are fewer images than a batch takes.
    """
    check_int(1, epochs=epochs, batch_size=batch_size)
    images = int(train.cardinality())
    if images < batch_size:
        raise ValueError(
            f"`batch_size` is {batch_size} and there are {images} training images: use a smaller "
            "batch."
        )
    return epochs * (images // batch_size)


def new_vit(run, shape, **options):
    """Makes a vision transformer, a small one where the run names an encoder that is none.

    Args:
        run: A `Run`.
        shape: As in `new_encoder`.
        **options: Other arguments of `encoders.vit`.
    """
    sizes = {name: getattr(run, name) for name in ("width", "depth", "heads")}
    sizes = {name: size for name, size in sizes.items() if size is not None}
    is_named = run.encoder.startswith("vit")
    make, small = (getattr(encoders, run.encoder), {}) if is_named else (encoders.vit, SMALL)
    return make(shape, patch_size(run, shape), **{**small, **sizes, **options})


def patch_size(run, shape):
    """Returns the side of a patch: what a run asks for, or else a fitting one for its images."""
    if run.patch_size is not None:
        return run.patch_size
    side = max(2, min(16, min(shape[:2]) // 8))
    whole = math.gcd(*shape[:2])
    larger_first = (*range(side, 17), *range(side - 1, 1, -1))
    return next((patch for patch in larger_first if whole % patch == 0), side)


def new_encoder(run, shape):
    """Makes the encoder that a run asks for, for images of `shape`."""
    if run.encoder.startswith("vit"):
        return new_vit(run, shape)
    for name in ("patch_size", "width", "depth", "heads"):
        if getattr(run, name) is not None:
            raise ValueError(
                f"`{name}` is of vision transformers, and the encoder is {run.encoder}: choose one "
                "of them, such as vit_tiny."
            )
    is_small = min(shape[:2]) < 64
    stem = {"stem": "cifar"} if run.encoder.startswith("resnet") and is_small else {}
    return getattr(encoders, run.encoder)(shape, **stem)


def train(
    run, settings, new_model, views, train, test, *, epochs, batch_size, average=None, pairs=None
):
    """Trains a model, tells what its features are worth, and keeps all of it in the run's folder.

    A folder whose run was stopped is gone on with.

    Args:
        run: A `Run`.
        settings: As in `start`.
        new_model: Function that makes and compiles the model.
        views: Sequence of views.
        train: Training images, unbatched; labels, where they are, are for measuring only, unless
            the method is one that learns from them.
        test: Test images.
        epochs: Int, passes over the images.
        batch_size: Int, images in a step, over all devices.
        average: Sequence of views to measure the mean features of as well, or None.
        pairs: Images with captions to train on, in the place of `train`, or None.

    Returns:
        The trained model.
    """
    has_labels = len(keras.tree.flatten(train.element_spec)) > 1  # a folder may have no classes
    with distribute.strategy(run.strategy).scope():
        untrained = new_model()
        saved = open_folder(run, settings)
        model = keras.saving.load_model(saved.path) if saved.path else untrained
    baselines = evaluation.baselines(untrained, train, test) if run.baselines else {}

    began = time.perf_counter()
    model.fit(
        data.make_views(pairs or train, views, batch_size, seed=run.seed),
        epochs=epochs,
        initial_epoch=saved.epoch,
        initial_step=saved.step,
        callbacks=[
            *([callbacks.KNNProbe(train, test, every=run.probe_every)] if has_labels else []),
            callbacks.CollapseMonitor(test, every=run.probe_every),
            callbacks.ResumableCSVLogger(run.output / "history.csv"),
            callbacks.Checkpoint(run.output / "checkpoints", save_every_steps=run.save_steps),
        ],
        verbose=2,
    )
    seconds = time.perf_counter() - began
    if not distribute.is_chief(model):
        return model
    write_time(run, epochs - saved.epoch, seconds)
    model.save(run.output / "model.keras")
    model.export_encoder(run.output / "encoder")
    exported = run.output / "encoder" / ("image" if pairs else "")  # beside the one of text
    history = callbacks.read_history(run.output / "history.csv")
    table = evaluation.report(
        model, baselines, train, test, run.output, history, views, average=average
    )
    if hasattr(model.encoder, "attention_maps"):
        images, _ = evaluation.read_images(test, 8)
        evaluation.plots.plot_attention(model.encoder, images, run.output / "attention.png")
    print(
        f"{table}\n\n"
        f"In {run.output}: config.json, history.csv, time.json, results.json, table.txt, and as "
        "pictures views.png, curves.png, map.png and neighbors.png (attention.png of a vit).\n"
        f'To go on in Keras:  model = keras.saving.load_model("{run.output / "model.keras"}")\n'
        f'To use elsewhere:   encoder = tf.saved_model.load("{exported}")\n'
        "                    features = encoder.serve(uint8_images)"
    )
    return model


def write_time(run, epochs, seconds):
    """Writes down what training took; where nothing was left to train, what it took before stands.

    Args:
        run: A `Run`.
        epochs: Int, how many were trained now.
        seconds: Float.
    """
    if epochs > 0:
        times = {"epochs": epochs, "seconds": round(seconds, 1)}
        (run.output / "time.json").write_text(json.dumps(times) + "\n")


def open_folder(run, settings):
    """Makes the folder of a run, or finds the last state in it, `callbacks.latest_checkpoint`."""
    options = dataclasses.asdict(run)
    for name in (
        "output",
        "data_dir",
        "baselines",
        "save_steps",
    ):  # of no consequence for what is trained
        del options[name]
    own = {name: value for name, value in settings.items() if name != "run"}
    return callbacks.prepare_run_dir(run.output, {**options, **own})

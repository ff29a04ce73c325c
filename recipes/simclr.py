"""SimCLR: Chen et al. 2020, https://arxiv.org/abs/2002.05709.

python recipes/simclr.py                                               # digits, bundled
python recipes/simclr.py --dataset cifar10 --epochs 15 --temperature 0.2 --output runs/cifar10
python recipes/simclr.py --dataset path/to/images --image-size 64 --output runs/mine

What these commands measured, and on which machine, is in RESULTS.md. Published for a full ResNet-18
on CIFAR-10 after 10 epochs: 56.5 % linear accuracy (README of EMP-SSL, Tong et al. 2023,
https://arxiv.org/abs/2304.03977).
"""

from pathlib import Path
from typing import Literal

import keras
import tyro

import keras_ssl
from keras_ssl import callbacks, data, distribute, encoders, evaluation, views


def main(
    dataset: str = "digits",
    data_dir: Path | None = None,
    image_size: int | None = None,
    encoder: Literal[
        "small_resnet", "resnet18", "resnet34", "resnet50", "wide_resnet"
    ] = "small_resnet",
    epochs: int = 200,
    batch_size: int = 256,
    learning_rate: float = 0.12,
    weight_decay: float = 5e-4,
    temperature: float = 0.5,
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
    strategy: Literal["none", "mirrored"] = "none",
    probe_every: int = 5,
    seed: int = 0,
    output: Path = Path("runs/simclr"),
) -> None:
    """Trains SimCLR, tells what its features are worth, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        dataset: "digits", a TensorFlow Datasets name such as cifar10, or a folder of images.
        data_dir: Where TensorFlow Datasets keeps its data, if not in the usual place.
        image_size: Side in pixels to bring images to; needed where they differ in size.
        encoder: The network to train.
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: Of SGD, for 256 images a batch and scaled with it; falls on a cosine to 0.
        weight_decay: Of SGD.
        temperature: Of the loss; smaller attends more to the hardest negatives.
        precision: Keras's dtype policy.
        strategy: "mirrored" trains on all accelerators of this machine.
        probe_every: Epochs from one measurement, and one saved state, to the next.
        seed: Of weights, views and the order of images.
        output: Folder for settings, history, model, encoder, table and pictures.
    """
    settings = {name: value for name, value in locals().items() if name != "output"}
    checkpoint, done = callbacks.start_or_resume(output, settings)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)

    train, test = data.load_train_and_test(dataset, image_size=image_size, data_dir=data_dir)
    image, *label = keras.tree.flatten(train.element_spec)  # a folder may have no classes
    shape = tuple(image.shape)
    own_views = views.simclr(shape[:2], flip=dataset != "digits")  # a mirrored 2 is no digit

    def new_model():
        stem = {"stem": "cifar"} if encoder.startswith("resnet") and min(shape[:2]) < 64 else {}
        model = keras_ssl.SimCLR(
            getattr(encoders, encoder)(shape, **stem),
            projector=(512, 512, 128),
            temperature=temperature,
            views=own_views,
            seed=seed,
        )
        steps = epochs * (int(train.cardinality()) // batch_size)
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate * batch_size / 256, steps)
        model.compile(keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=weight_decay))
        return model

    with distribute.strategy(strategy).scope():
        untrained = new_model()
        model = keras.saving.load_model(checkpoint) if checkpoint else untrained
    baselines = evaluation.baselines(untrained, train, test)

    model.fit(
        data.views(train, own_views, batch_size, seed=seed),
        epochs=epochs,
        initial_epoch=done,
        callbacks=[
            *([callbacks.KNNProbe(train, test, every=probe_every)] if label else []),
            callbacks.CollapseMonitor(test, every=probe_every),
            callbacks.HistoryFile(output / "history.csv"),
            callbacks.EpochCheckpoint(output / "checkpoints", every=probe_every),
        ],
        verbose=2,
    )

    model.save(output / "model.keras")
    model.export_encoder(output / "encoder")
    history = callbacks.read_history(output / "history.csv")
    print(evaluation.report(model, baselines, train, test, output, history, own_views))
    print(
        f"\nIn {output}: config.json, history.csv, table.txt, and as pictures views.png, "
        "curves.png, map.png and neighbours.png.\n"
        f'To go on in Keras:  model = keras.saving.load_model("{output / "model.keras"}")\n'
        f'To use elsewhere:   encoder = tf.saved_model.load("{output / "encoder"}")\n'
        "                    features = encoder.serve(uint8_images)"
    )


if __name__ == "__main__":
    tyro.cli(main)

"""Two training steps of every method on the device of JAX, and the same steps on the CPU.

A stage of `card.py`: prints a row of JSON for each method. Both processes draw the same weights and
views, so that the losses differ by rounding alone. GPUs multiply float32 matrices with factors of
10 bits (TF32), hence the tolerance. Networks are tiny, as most of the time is for compilation.
Methods with " from images" in their name make their views in the training step.

ReCLIP is missing: it reads captions as strings, which needs TensorFlow.
"""

import contextlib
import json
import os
import subprocess
import sys

import keras
import numpy as np

import keras_ssl
from keras_ssl import encoders, models

TOLERANCE = 1e-3
SHAPE, BATCH, STEPS, CLASSES = (8, 8, 3), 16, 2, 4
PATCHES, MASKED = 16, 12  # of an image, for vision transformers
FROM_IMAGES = " from images"
# Environment variables of the processes. Flags of XLA save time of compilation.
DEVICE = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_FLAGS": "--xla_gpu_autotune_level=0"}
CPU = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
HEADS = {"projector": (32, 16)}
PREDICTED = {**HEADS, "predictor": (32, 16)}
PROTOTYPES = {**HEADS, "prototypes": 12}
# Name: class, its networks ("encoder", "vit", "classifier" or "clip") and its arguments.
METHODS = {
    "SimCLR": (keras_ssl.SimCLR, "encoder", HEADS),
    f"SimCLR{FROM_IMAGES}": (keras_ssl.SimCLR, "encoder", HEADS),
    "SimCLR together": (keras_ssl.SimCLR, "encoder", {**HEADS, "together": True}),
    "MoCo v2": (keras_ssl.MoCo, "encoder", {**HEADS, "queue_size": 48}),
    "MoCo v3": (keras_ssl.MoCo, "encoder", {**PREDICTED, "version": 3}),
    "NNCLR": (keras_ssl.NNCLR, "encoder", {**PREDICTED, "queue_size": 48}),
    "BYOL": (keras_ssl.BYOL, "encoder", PREDICTED),
    f"BYOL{FROM_IMAGES}": (keras_ssl.BYOL, "encoder", PREDICTED),
    "SimSiam": (keras_ssl.SimSiam, "encoder", PREDICTED),
    "BarlowTwins": (keras_ssl.BarlowTwins, "encoder", HEADS),
    "VICReg": (keras_ssl.VICReg, "encoder", HEADS),
    "SwAV": (keras_ssl.SwAV, "encoder", {**PROTOTYPES, "freeze_prototypes_steps": 0}),
    "DINO": (keras_ssl.DINO, "encoder", PROTOTYPES),
    "DINOv2": (keras_ssl.DINOv2, "vit", PROTOTYPES),
    "MAE": (keras_ssl.MAE, "vit", {"decoder": (8, 1, 2)}),
    "EMPSSL": (keras_ssl.EMPSSL, "encoder", HEADS),
    "SupCon": (keras_ssl.SupCon, "encoder", HEADS),
    "FixMatch": (keras_ssl.FixMatch, "classifier", {"threshold": 0.3}),
    "FlexMatch": (keras_ssl.FlexMatch, "classifier", {"num_unlabeled": BATCH}),
    "FreeMatch": (keras_ssl.FreeMatch, "classifier", {}),
    "SoftMatch": (keras_ssl.SoftMatch, "classifier", {}),
    "AdaMatch": (keras_ssl.AdaMatch, "classifier", {}),
    "Dash": (keras_ssl.Dash, "classifier", {"warmup": 1}),
    "UDA": (keras_ssl.UDA, "classifier", {"threshold": 0.3}),
    "PseudoLabel": (keras_ssl.PseudoLabel, "classifier", {"threshold": 0.3}),
    "MeanTeacher": (keras_ssl.MeanTeacher, "classifier", {}),
    "CLIP": (keras_ssl.CLIP, "clip", {"projection": 8, "temperature": 0.5}),
}


class FewLabels(keras.utils.PyDataset):
    """The batch of a semi-supervised method: half of its images are labeled too."""

    def __init__(self, weak, strong, labels):
        super().__init__()
        half = len(labels) // 2
        unlabeled = {"weak": weak, "strong": strong, "index": np.arange(len(labels))}
        unlabeled["unlabeled_labels"] = labels
        self.batch = {"labeled": weak[:half], **unlabeled}, labels[:half]

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


def main() -> None:
    """Compares all methods, or prints the losses of those that the command names."""
    if names := sys.argv[1:]:
        for name in names:
            print(json.dumps(try_to_train(name)), flush=True)
        return
    # Compilation takes nearly all of the time: a quarter of the cores on each device.
    workers = max(1, (os.cpu_count() or 1) // 4)
    parts = [list(METHODS)[i::workers] for i in range(workers)]
    failed = []
    with contextlib.ExitStack() as stack:
        pairs = [[start(part, stack, **device) for device in (DEVICE, CPU)] for part in parts]
        for part, processes in zip(parts, pairs, strict=True):
            for name in part:
                row = {"method": name, **compare(*(read(process) for process in processes))}
                print(json.dumps(row), flush=True)
                failed += [] if row["close"] else [name]
    if failed:
        raise SystemExit(f"AssertionError: not as on the CPU: {', '.join(failed)}")


def start(names: list[str], stack: contextlib.ExitStack, **variables: str) -> subprocess.Popen:
    """Starts to train methods in another process, with further environment variables."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {variables['XLA_FLAGS']}"
    environment = os.environ | variables | {"XLA_FLAGS": flags}
    command = [sys.executable, __file__, *names]
    return stack.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    )


def read(process: subprocess.Popen) -> dict:
    """Returns the next losses, or the error, of a process."""
    line = process.stdout.readline() if process.stdout else ""
    return json.loads(line) if line else {"error": "the process has ended, see the log"}


def compare(trained: dict, reference: dict) -> dict:
    """Returns device and losses, their distance to those on the CPU, and whether it is small.

    The distance is relative for losses above 1; some others are sums that nearly cancel.
    """
    if error := trained.get("error") or reference.get("error"):
        return {**trained, "difference": None, "close": False, "error": error}
    losses, expected = (np.array(result["losses"]) for result in (trained, reference))
    difference = float(np.max(np.abs(losses - expected) / np.maximum(1, np.abs(expected))))
    close = bool(np.isfinite(losses).all() and difference <= TOLERANCE)
    return {**trained, "difference": difference, "close": close}


def try_to_train(name: str) -> dict:
    """Returns the device and the losses of a method, or its error."""
    try:
        return {"device": keras.distribution.list_devices()[0], "losses": train(name)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        keras.backend.clear_session()


def train(name: str) -> list[float]:
    """Returns the loss of each step."""
    keras.utils.set_random_seed(0)
    method, network, options = METHODS[name]
    model = method(*networks(network), **options)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, *SHAPE), "uint8")
    labels = np.arange(BATCH) % CLASSES
    x, y = images, labels
    if not name.endswith(FROM_IMAGES):
        noise = rng.normal(0, 0.1, (2, *images.shape))
        x = tuple(np.clip(images / 255 + noise, 0, 1).astype("float32"))
    if network == "classifier":
        x, y = FewLabels(*x, labels), None
    elif network == "clip":
        x, y = x[:1], rng.integers(1, 12, (BATCH, 4))
    elif model.num_masks:
        order = np.argsort(rng.random((model.num_masks, BATCH, PATCHES)))
        x = (*x[: model.num_masks], *(np.argsort(order) < MASKED))
    fitted = model.fit(x, y, batch_size=BATCH, epochs=STEPS, shuffle=False, verbose=0)
    return fitted.history["loss"]


def networks(name: str) -> list:
    """Returns the networks that a method is made of."""
    if name == "vit":
        return [encoders.vit(SHAPE, 2, 8, 1, 2)]
    x = images = keras.Input(SHAPE)
    for _ in range(2):
        x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Activation("relu")(x)
    encoder = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
    if name == "classifier":
        return [models.classifier(encoder, CLASSES)]
    if name == "clip":
        return [encoder, encoders.text_transformer(12, 4, 8, 1, 2)]
    return [encoder]


if __name__ == "__main__":
    main()

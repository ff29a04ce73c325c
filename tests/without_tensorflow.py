"""Trains all methods on JAX, where TensorFlow is missing; evaluates, saves, loads and continues."""

import sys
import tempfile

import keras
import numpy as np

import keras_ssl
from keras_ssl import callbacks, data, encoders, evaluation, models, views

folder = tempfile.mkdtemp()
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (24, 8, 8, 3), dtype="uint8")
labels = np.arange(24) % 3
view = images / np.float32(255)
masks = np.tile(np.arange(16) < 8, (24, 1))
resnet = encoders.small_resnet((8, 8, 3), width=4)
# A network that compiles in little time.
encoder = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
encoder.add(keras.layers.Dense(8))
vit = encoders.vit((8, 8, 3), 2, width=8, depth=1, heads=2)


def fit(model, x, y=None):
    """Trains for two steps."""
    model.compile("sgd")
    model.fit(x, y, batch_size=12, verbose=0)
    print(type(model).__name__, flush=True)
    return model


# Everything that fit, evaluation, callbacks and files do, by the example of one method.
model = keras_ssl.SimCLR(resnet, projector=(8,))
model.compile("sgd")
probe = callbacks.KNNProbe((images, labels), (images, labels), k=1)
saved = callbacks.Checkpoint(folder)
options = {"batch_size": 8, "verbose": 0, "callbacks": [probe, saved]}
history = model.fit(images, validation_data=images, **options)
print(history.history)
features = model.predict(images, verbose=0)
print(evaluation.linear_probe(model, (images, labels), (images, labels)))
loaded = keras.saving.load_model(callbacks.latest_checkpoint(folder).path)
np.testing.assert_array_equal(loaded.predict(images, verbose=0), features)
loaded.fit(images, batch_size=8, verbose=0)

# Self-supervised methods, on ready views.
small = {"projector": (8,)}
two_layers = {"projector": (8,), "predictor": (8, 8)}
for model in (
    keras_ssl.MoCo(encoder, queue_size=24, **small),
    keras_ssl.NNCLR(encoder, queue_size=24, **two_layers),
    keras_ssl.BYOL(encoder, **two_layers),
    keras_ssl.SimSiam(encoder, **two_layers),
    keras_ssl.BarlowTwins(encoder, **small),
    keras_ssl.VICReg(encoder, **small),
    keras_ssl.SwAV(encoder, prototypes=5, **small),
    keras_ssl.DINO(encoder, prototypes=5, **small),
    keras_ssl.EMPSSL(encoder, **small),
):
    fit(model, (view, view))
fit(keras_ssl.SupCon(encoder, **small), (view, view), labels)
fit(keras_ssl.DINOv2(vit, prototypes=5, **small), (view, view, masks, masks))
fit(keras_ssl.MAE(vit, decoder=(8, 1, 2)), images)
text_encoder = encoders.text_transformer(9, 4, 8, 1, 2)
clip = keras_ssl.CLIP(encoder, text_encoder, projection=4)
fit(clip, images, rng.integers(1, 9, (24, 4)))

# Semi-supervised methods, on images with simple views, and FixMatch with its own.
few, many = (images[:6], labels[:6]), (images, labels)
model = fit(
    keras_ssl.FixMatch(models.classifier(encoder, 3)), data.semi_supervised(few, many, 4, 3)
)
model.evaluate(images, labels, verbose=0)
x = data.semi_supervised(few, many, 4, 3, weak=views.RandomFlip(), strong=views.Cutout(4))
for method in (
    keras_ssl.Dash,
    keras_ssl.FlexMatch,
    keras_ssl.FreeMatch,
    keras_ssl.SoftMatch,
    keras_ssl.AdaMatch,
    keras_ssl.UDA,
    keras_ssl.MeanTeacher,
    keras_ssl.PseudoLabel,
):
    model = fit(method(models.classifier(encoder, 3)), x)
model.save(f"{folder}/model.keras")
loaded = keras.saving.load_model(f"{folder}/model.keras")
np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
loaded.fit(x, epochs=2, initial_epoch=1, initial_step=1, verbose=0)
rotated = views.apply_randaugment(images, "Rotate", 5)
assert rotated.shape == images.shape

try:
    keras_ssl.data.load("digits")
except ModuleNotFoundError as error:
    print(error)
assert sys.modules.get("tensorflow") is None
print("keras_ssl works without TensorFlow")

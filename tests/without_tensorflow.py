"""Learns from images, evaluates, saves, loads and continues on JAX, where TensorFlow is missing."""

import sys
import tempfile

import keras
import numpy as np

import keras_ssl
from keras_ssl import callbacks, encoders, evaluation

folder = tempfile.mkdtemp()
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (24, 8, 8, 3), dtype="uint8")
labels = np.arange(24) % 3
model = keras_ssl.SimCLR(encoders.small_resnet((8, 8, 3), width=4), projector=(8,))
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
view = images / np.float32(255)
loaded.fit((view, view), batch_size=8, verbose=0)
mae = keras_ssl.MAE(encoders.vit((8, 8, 3), 2, width=8, depth=1, heads=2), decoder=(8, 1, 2))
mae.compile("sgd")
mae.fit(images, batch_size=8, verbose=0)
clip = keras_ssl.CLIP(model.encoder, encoders.text_transformer(9, 4, 8, 1, 2), projection=4)
clip.compile("sgd")
clip.fit(images, rng.integers(1, 9, (24, 4)), batch_size=8, verbose=0)
try:
    keras_ssl.data.load("digits")
except ModuleNotFoundError as error:
    print(error)
assert sys.modules.get("tensorflow") is None
print("keras_ssl works without TensorFlow")

"""The recipes of images and text: what they say of images is true, and what they leave is all."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from recipe_checks import load

from keras_ssl.recipes.pretraining import Run


def test_words_of_light_and_place_are_true():
    clip = load("clip")
    dark = np.zeros((8, 8, 3), "uint8")
    dark[:, 6:] = 200
    bright = np.full((8, 8, 1), 220, "uint8")
    bright[:, 4:] = 150
    middle = np.full((8, 8, 3), 128, "uint8")
    found = [
        tuple(word.numpy().decode() for word in clip.describe(image))
        for image in (dark, bright, middle)
    ]
    assert found == [("dark ", " on the right"), ("bright ", " on the left"), ("", "")]


def test_captions_name_the_class_and_are_known_to_the_vocabulary():
    clip = load("clip")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype="uint8")
    labels = np.arange(40) % 2
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))

    def told():
        return clip.captioned(pairs, ["cat", "dog"], 0).as_numpy_iterator()

    captions = [text.decode() for _, text in told()]
    for caption, label in zip(captions, labels, strict=True):
        assert ["cat", "dog"][label] in caption
    assert set(captions) <= set(clip.every_caption(["cat", "dog"]))
    assert len({caption.split(" cat")[0] for caption in captions}) > 3  # in several wordings
    assert captions == [text.decode() for _, text in told()]


@pytest.mark.filterwarnings("ignore:CollapseMonitor")
def test_a_clip_is_trained_then_adapted_and_each_part_is_told(tmp_path, monkeypatch, capsys):
    clip, reclip = load("clip"), load("reclip")
    usual = clip.main

    def little(**options):
        usual(**options, batch_size=256, text_width=16, text_depth=1)

    monkeypatch.setattr(clip, "main", little)
    run = Run(tmp_path, baselines=False)
    reclip.main(epochs=1, batch_size=128, clip_epochs=1, run=run)
    told = json.loads((tmp_path / "clip" / "clip.json").read_text())
    assert {"zero_shot", "zero_shot_held_out_phrases"} < set(told)
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results) == 6
    assert all(0 <= share <= 1 for share in [*told.values(), *results.values()])
    for picture in ("clip/similarity", "images", "curves", "confusion"):
        assert (tmp_path / f"{picture}.png").stat().st_size > 0
    model = keras.saving.load_model(tmp_path / "model.keras")
    images = np.zeros((2, 8, 8, 1), "uint8")
    served = tf.saved_model.load(str(tmp_path / "classifier"))
    np.testing.assert_allclose(served.serve(images), model.predict(images, verbose=0), atol=1e-4)
    (tmp_path / "results.json").unlink()
    reclip.main(epochs=1, batch_size=128, clip_epochs=1, run=run)  # nothing is left to do
    assert json.loads((tmp_path / "results.json").read_text()) == results

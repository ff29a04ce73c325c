"""The captions of the CLIP recipe, and the whole run of CLIP and ReCLIP."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from recipe_checks import TINY, load


def test_words_for_brightness_and_position_are_true_of_the_image():
    clip = load("clip")
    dark = np.zeros((8, 8, 3), "uint8")
    dark[:, 6:] = 200
    bright = np.full((8, 8, 1), 220, "uint8")
    bright[:, 4:] = 150
    gray = np.full((8, 8, 3), 128, "uint8")
    words = [
        tuple(word.numpy().decode() for word in clip.describe(image))
        for image in (dark, bright, gray)
    ]
    assert words == [("dark ", " on the right"), ("bright ", " on the left"), ("", "")]


def test_captions_are_reproducible_name_the_class_and_are_in_the_vocabulary(monkeypatch):
    clip = load("clip")
    names = ["cat", "dog"]
    monkeypatch.setattr(clip.data, "class_names", lambda *_: names)
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype="uint8")
    labels = np.arange(40) % 2
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))

    def captions():
        pairs = clip.add_captions(clip.Config(), dataset)
        assert int(pairs.cardinality()) == 40
        return [caption.decode() for _, caption in pairs.as_numpy_iterator()]

    first = captions()
    for caption, label in zip(first, labels, strict=True):
        assert names[label] in caption
    assert set(first) <= set(clip.all_captions(names))
    assert len({caption.split(" cat")[0] for caption in first}) > 3  # several wordings
    assert captions() == first


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:CollapseMonitor")
def test_clip_is_trained_then_adapted_and_every_part_is_evaluated(tmp_path, monkeypatch, capsys):
    clip, reclip = load("clip"), load("reclip")
    clip_config = clip.Config

    def small_clip(**options):
        return clip_config(**options, batch_size=256, text_width=16, text_depth=1)

    monkeypatch.setattr(clip, "Config", small_clip)
    config = reclip.Config(tmp_path, epochs=1, batch_size=128, clip_epochs=1, **TINY)
    reclip.run(config)
    zero_shot = json.loads((tmp_path / "clip" / "clip.json").read_text())
    assert {"zero_shot", "zero_shot_held_out_phrases"} < set(zero_shot)
    saved_config = json.loads((tmp_path / "clip" / "config.json").read_text())
    assert (saved_config["epochs"], saved_config["width"]) == (1, 12)
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results) == 6
    assert all(0 <= share <= 1 for share in [*zero_shot.values(), *results.values()])
    for name in ("clip/similarity", "images", "curves", "confusion"):
        assert (tmp_path / f"{name}.png").stat().st_size > 0
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype="uint8")
    for folder, export in (("clip", "encoder/image"), (".", "classifier")):
        model = keras.saving.load_model(tmp_path / folder / "model.keras")
        exported = tf.saved_model.load(str(tmp_path / folder / export))
        expected = model.predict(images, verbose=0)
        np.testing.assert_allclose(exported.serve(images), expected, atol=1e-4)
    (tmp_path / "results.json").unlink()
    reclip.run(config)  # with no epoch left to train
    assert json.loads((tmp_path / "results.json").read_text()) == results

import importlib.util
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_ssl

EXAMPLE = Path(__file__).parents[2] / "examples" / "simclr_from_scratch.py"


@pytest.mark.slow
def test_the_example_trains_evaluates_saves_and_exports(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(epochs=1, output=tmp_path / "run")
    printed = capsys.readouterr().out
    accuracies = re.search(r"kNN accuracy (\S+) %, linear (\S+) %", printed).groups()
    assert all(10 < float(accuracy) <= 100 for accuracy in accuracies)
    images = np.stack([x for x, _ in keras_ssl.data.load("digits", "test").as_numpy_iterator()])
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    encoder = tf.saved_model.load(str(tmp_path / "run" / "encoder"))
    np.testing.assert_allclose(encoder.serve(images), model.predict(images, verbose=0), atol=1e-5)

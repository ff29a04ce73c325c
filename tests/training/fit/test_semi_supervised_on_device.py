"""Semi-supervised training on arrays, whose views the training step makes on JAX."""

import sys

import keras
import method_checks as checks
import numpy as np
import pytest

from keras_ssl import data, views

semi_supervised = sys.modules[data.semi_supervised.__module__]  # which has the function's name
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (28, 8, 8, 3), dtype="uint8"), np.arange(28) % 4
VIEWS = {"weak": views.RandomFlip(), "strong": views.Cutout(4)}


def run(is_on_device, monkeypatch, changes=None, **kwargs):
    """Returns losses and weights of FixMatch on arrays."""
    with monkeypatch.context() as patch:
        if not is_on_device:
            patch.setattr(semi_supervised, "supports_device_views", lambda *views: False)
        model = checks.make("FixMatch", threshold=0.0)
        model.compile(keras.optimizers.SGD(0.1), metrics=["accuracy"])
        losses = []
        for new_views in ({}, *([changes] if changes else [])):
            x = data.semi_supervised(
                (IMAGES[:8], LABELS[:8]), (IMAGES, LABELS), 4, 2, **{**VIEWS, **new_views}
            )
            assert isinstance(x, keras.utils.PyDataset) == is_on_device
            losses += model.fit(x, epochs=2, verbose=0, **kwargs).history["loss"]
    return losses, model.get_weights()


@pytest.mark.parametrize(
    ("changes", "kwargs"),
    [
        ({"strong": views.Solarize(0.0, probability=1.0)}, {"initial_epoch": 1, "initial_step": 1}),
        (None, {"initial_epoch": 1, "initial_step": 1, "steps_per_epoch": 2}),
    ],
    ids=["resumed, and then with other views", "continued from epoch to epoch"],
)
def test_training_on_arrays_equals_training_on_the_pipeline(changes, kwargs, monkeypatch):
    if keras.backend.backend() != "jax":
        pytest.skip("On TensorFlow, there is only the pipeline.")
    found = run(True, monkeypatch, changes, **kwargs)
    expected = run(False, monkeypatch, changes, **kwargs)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    for weight, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-4)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_training_on_arrays_lowers_the_loss():
    model = checks.make("FixMatch")
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    x = data.semi_supervised((IMAGES[:8], LABELS[:8]), IMAGES, 4, 2, **VIEWS)
    losses = model.fit(x, epochs=4, verbose=0).history["supervised_loss"]
    assert losses[-1] < losses[0]


def test_classes_without_a_label_are_named():
    model = checks.make("FixMatch")
    model.compile("sgd")
    x = data.semi_supervised((IMAGES[:8], LABELS[:8] % 3), IMAGES, 4, 2, **VIEWS)
    with pytest.raises(ValueError, match=r"no labeled examples for classes \[3\]"):
        model.fit(x, verbose=0)

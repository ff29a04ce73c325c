"""Views that the training step makes are those of the data pipeline."""

import dataclasses

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import views
from keras_ssl.data import pipeline
from keras_ssl.views.device import find_host_views

IMAGES = np.random.default_rng(0).integers(0, 256, (22, 8, 8, 3), dtype="uint8")
METHODS = ("SimCLR", "MAE", "CLIP")


def labels_of(name):
    return checks.captions(len(IMAGES)) if name == "CLIP" else None


def run(name, views_on, data="array", **kwargs):
    """Returns losses and weights of two epochs, from the images alone."""
    model = checks.make(name)
    model.compile(keras.optimizers.SGD(0.1), views_on=views_on)
    x, y = IMAGES, labels_of(name)
    if data == "dataset":
        x = tf.data.Dataset.from_tensor_slices((x,) if y is None else (x, y)).batch(8)
        y = None
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, **kwargs).history
    return history["loss"] + history.get("val_loss", []), model.get_weights()


def assert_near(found, expected):
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    for weight, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["SimCLR", *(pytest.param(name, marks=pytest.mark.slow) for name in METHODS[1:])]
)
@pytest.mark.parametrize("data", ["array", pytest.param("dataset", marks=pytest.mark.slow)])
def test_training_on_device_views_equals_training_on_host_views(name, data):
    assert_near(run(name, "device", data), run(name, "host", data))


@pytest.mark.slow
def test_an_epoch_of_steps_per_epoch_continues_through_the_images():
    kwargs = {"steps_per_epoch": 3}
    assert_near(run("SimCLR", "device", **kwargs), run("SimCLR", "host", **kwargs))


@pytest.mark.slow
def test_a_resumed_run_draws_what_the_uninterrupted_run_drew():
    resume = {"initial_epoch": 1, "initial_step": 1, "validation_data": IMAGES}
    expected = run("SimCLR", "host", **resume)
    assert_near(run("SimCLR", "device", **resume), expected)


@pytest.mark.slow
def test_evaluation_makes_the_same_views_each_time():
    losses = []
    for views_on in ("host", "device"):
        model = checks.make("SimCLR")
        model.compile("sgd", views_on=views_on)
        losses += [model.evaluate(IMAGES, batch_size=8, verbose=0) for _ in range(2)]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


def test_a_saved_model_remembers_where_views_are_made(tmp_path):
    model = checks.make("SimCLR")
    model.compile("sgd", views_on="device")
    model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").views_on == "device"


@dataclasses.dataclass(frozen=True)
class Darken(views.View):
    """A user's view, of which keras_ssl knows nothing."""

    def transform(self, images, seed):
        return images * self.uniform(images, seed, 1)[:, :, None, None]


# The name of a class is part of its seed.
DarkenOnDevice = type("Darken", (Darken,), {"runs_on_device": True})


def test_views_that_need_the_host_are_named():
    view = views.Compose([views.RandomFlip(), Darken()])
    model = checks.make("SimCLR", views=(view, view))
    model.compile("sgd", views_on="device")
    with pytest.raises(ValueError, match=r"`views_on=\"device\"` needs .* make Compose.*Darken"):
        model.fit(IMAGES, batch_size=8, verbose=0)


@pytest.mark.slow
def test_a_view_of_the_user_that_says_so_runs_on_the_device():
    found = {}
    for views_on, view in (("host", Darken()), ("device", DarkenOnDevice())):
        model = checks.make("SimCLR", views=(view, views.RandomFlip()))
        model.compile("sgd", views_on=views_on)
        found[views_on] = model.fit(IMAGES, batch_size=8, verbose=0).history["loss"]
    np.testing.assert_allclose(found["device"], found["host"], rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "views_on", "message"),
    [
        ("SimCLR", "gpu", "`views_on` must be one of"),
        ("FixMatch", "device", "`views_on` is not supported by FixMatch"),
    ],
)
def test_compile_rejects_invalid_places(name, views_on, message):
    with pytest.raises(ValueError, match=message):
        checks.make(name).compile("sgd", views_on=views_on)


def test_compile_rejects_device_views_on_replicas(replicas):
    with replicas.scope():
        model = checks.make("SimCLR")
        with pytest.raises(ValueError, match='`views_on="device"` does not work under'):
            model.compile("sgd", views_on="device")


def test_few_bytes_are_sent_next_to_the_pixels():
    batches = pipeline.from_arrays(
        (np.zeros((8, 32, 32, 3), "uint8"),), None, 8, 0, True, steps_per_epoch=None, start=(0, 0)
    )
    batch = next(iter(batches))[0]
    assert batch.images.dtype == tf.uint8
    assert batch.position.numpy().nbytes < 0.01 * batch.images.numpy().nbytes
    assert find_host_views(views.simclr(8)) == []

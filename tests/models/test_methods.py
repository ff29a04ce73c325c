"""What every method promises, asked of each in turn."""

import dataclasses
import functools

import keras
import method_checks as checks
import numpy as np
import pytest
import tensorflow as tf
from method_spec import check_specs
from processes import run_python

import keras_ssl

each_method = pytest.mark.parametrize("name", checks.specs())
REPRESENTATIVES = checks.names(lambda spec: spec.representative)
WITH_OWN_VIEWS = checks.names(lambda spec: spec.views_of is None)


@dataclasses.dataclass
class Trained:
    """A model that was trained on one repeated batch, in a graph.

    Attributes:
        model: The model.
        losses: The loss of each step.
        start: All trainable weights before the first step.
        after_one_step: All trainable weights after it.
    """

    model: keras.Model
    losses: list
    start: list
    after_one_step: list


class FirstStep(keras.callbacks.Callback):
    """Keeps the trainable weights after the first step."""

    def on_train_batch_end(self, batch, logs=None):
        if not hasattr(self, "weights"):
            self.weights = checks.arrays(self.model.trainable_weights)


@pytest.fixture(scope="module", params=checks.slow_except(REPRESENTATIVES))
def trained(request):
    keras.utils.set_random_seed(1)
    model = checks.make(request.param, seed=3)
    start, first = checks.arrays(model.trainable_weights), FirstStep()
    history = checks.train(
        model, checks.two_views(16), epochs=30, run_eagerly=False, callbacks=[first]
    )
    return Trained(model, history["loss"], start, first.weights)


def test_the_loss_falls_on_one_repeated_batch(trained, request):
    assert np.all(np.isfinite(trained.losses))
    if checks.specs()[request.node.callspec.params["trained"]].lowers_loss:
        assert trained.losses[-1] < trained.losses[0] - 0.05


def test_one_step_moves_every_trainable_weight(trained):
    weights = trained.model.trainable_weights
    for weight, new, old in zip(weights, trained.after_one_step, trained.start, strict=True):
        if not weight.path.endswith("key/bias"):  # softmax is invariant to a shift of all keys
            assert np.abs(new - old).max() > 0, weight.path


def test_evaluate_moves_nothing(trained):
    before = trained.model.get_weights()
    checks.run_eagerly(trained.model)
    checks.evaluate(trained.model, checks.two_views(16))
    for weight, old in zip(trained.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("name", checks.slow_except(REPRESENTATIVES))
def test_a_loaded_model_trains_on_as_the_saved_one(name, tmp_path):
    model = checks.make(name, seed=3)
    checks.train(model, checks.two_views(16), epochs=8)  # state is no longer the initial one
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model)
    assert loaded.seed == 3
    views = checks.two_views(16, seed=5)

    def resume(model):
        return checks.numbers(model, checks.train(model, views, epochs=1))

    checks.assert_equal(resume(loaded), resume(model), 0)


@pytest.mark.slow
@each_method
def test_half_precision_moves_weights_as_far_as_full(name):
    def update(policy):
        keras.config.set_dtype_policy(policy)
        model = checks.make(name)
        before = checks.arrays(model.trainable_weights)
        optimizer = keras.optimizers.SGD(min(model.rate, 0.1))
        if policy == "mixed_float16":  # Keras's first scale overflows, and skips the step
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**7)
        # One step: rounding grows in later ones, where batch norm sees 16 rows.
        checks.train(model, checks.two_views(16), optimizer=optimizer, epochs=1)
        after = checks.arrays(model.trainable_weights)
        return np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)])

    full = update("float32")
    for policy in checks.HALF:
        assert np.linalg.norm(update(policy) - full) < 0.5 * np.linalg.norm(full), policy


@pytest.mark.parametrize("name", checks.names(lambda spec: spec.symmetric_in_views))
def test_swapping_the_views_of_a_symmetric_method_changes_nothing(name, float64):
    model = checks.make(name)
    model.compile("sgd", run_eagerly=True)
    first, second = checks.two_views(16)
    swapped = checks.evaluate(model, (second, first))
    np.testing.assert_allclose(swapped, checks.evaluate(model, (first, second)), atol=1e-12)


class StopAtDifference(keras.callbacks.Callback):
    """Stops at the first epoch whose loss differs from that of another run."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.differs = losses, False

    def on_epoch_end(self, epoch, logs=None):
        self.differs = logs["loss"] != pytest.approx(self.losses[epoch], rel=1e-4)
        self.model.stop_training = self.differs


@pytest.mark.slow
@each_method
def test_every_hyperparameter_changes_the_loss(name):
    def losses(callbacks=(), **kwargs):
        model, views = checks.make(name, **kwargs), checks.two_views(16)
        return checks.train(model, views, epochs=4, callbacks=list(callbacks))["loss"]

    usual = losses()
    for argument, value in checks.specs()[name].other_values.items():
        stop = StopAtDifference(usual)
        losses([stop], **{argument: value})
        assert stop.differs, argument


@each_method
def test_the_spec_covers_every_argument(name):
    method = checks.specs()[name].method
    check_specs([spec for spec in checks.specs().values() if spec.method is method])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other_values": {}}, "SimCLR has the argument `temperature`. Add a second value"),
        ({"other_values": {"heat": 1}}, "has a value for `heat`"),
    ],
)
def test_an_incomplete_spec_is_named(change, message):
    spec = dataclasses.replace(checks.specs()["SimCLR"], **change)
    with pytest.raises(AssertionError, match=message):
        check_specs([spec])


def fit_images(name, seed=0):
    """Trains on plain images with the views of the method. Returns losses and weights."""
    keras.utils.set_random_seed(1)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")
    model = checks.make(name, seed=seed)
    model.compile(keras.optimizers.SGD(min(model.rate, 0.1)), run_eagerly=True)
    if checks.is_semi_supervised(name):
        dataset = tf.data.Dataset.from_tensor_slices((images, checks.labels(16)))
        x = keras_ssl.data.semi_supervised(
            dataset.take(8), dataset, 4, unlabeled_ratio=2, seed=seed
        )
        history = model.fit(x, epochs=2, verbose=0).history
    else:
        y = checks.given(model, (images,))[1]
        history = model.fit(images, y, batch_size=8, epochs=2, verbose=0).history
    return history["loss"], model.get_weights()


@functools.cache
def fitted_images(name):
    """Calls `fit_images` once for all tests: most of its time goes into the trace of the views."""
    return fit_images(name)


@pytest.mark.parametrize("name", checks.slow_except(REPRESENTATIVES, WITH_OWN_VIEWS))
def test_plain_images_are_trained_on_with_the_papers_views(name):
    losses, weights = fitted_images(name)
    assert np.all(np.isfinite(losses))
    before = checks.make(name).get_weights()
    assert any(np.abs(a - b).max() > 0 for a, b in zip(weights, before, strict=True))


@pytest.mark.parametrize("name", checks.names(lambda spec: spec.views_of is not None))
def test_views_are_those_of_the_method_that_the_spec_names(name):
    model, other = checks.make(name), checks.make(checks.specs()[name].views_of)
    if checks.is_semi_supervised(name):  # `data.semi_supervised` makes the views
        assert isinstance(other, keras_ssl.SemiSupervisedModel)
    else:
        views, other_views = (x.default_views((8, 8)) for x in (model, other))
        as_json = keras.saving.serialize_keras_object
        assert [as_json(view) for view in views] == [as_json(view) for view in other_views]
        assert model.num_masks == other.num_masks


@pytest.mark.parametrize(
    "name", ["SimCLR", *(pytest.param(n, marks=pytest.mark.slow) for n in ("FlexMatch", "MoCo"))]
)
def test_one_seed_gives_one_curve_and_the_same_weights_from_plain_images(name):
    losses, weights = fitted_images(name)
    same_losses, same_weights = fit_images(name)
    assert losses == same_losses
    for found, expected in zip(same_weights, weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert fit_images(name, seed=1)[0] != losses


@pytest.mark.slow
@pytest.mark.tensorflow  # `tests/test_export.py` covers exports from JAX
def test_exports_equal_predict_in_a_process_without_keras_ssl(tmp_path, rng):
    images = rng.integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in checks.specs():
        model = checks.make(name)
        if checks.is_semi_supervised(name) or name == "ReCLIP":  # `predict` returns logits
            model.export(tmp_path / name, verbose=False)
        else:
            model.export_encoder(tmp_path / name)
        folder = f"{name}/image" if name == "CLIP" else name
        expected[folder] = model.predict(images, verbose=0)
    model.export(tmp_path / "keras", verbose=False)
    expected["keras"] = expected[folder]
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        "sys.modules['keras_ssl'] = sys.modules['keras'] = None\n"
        "images = np.load('images.npy')\n"
        "for name in sys.argv[1:]:\n"
        "    loaded = tf.saved_model.load(name)\n"
        "    np.save(name + '.npy', loaded.serve(images))\n"
    )
    run_python(script, *expected, cwd=tmp_path)
    for name, features in expected.items():
        exported = np.load(tmp_path / f"{name}.npy")
        assert exported.dtype == "float32"
        np.testing.assert_allclose(exported, features, atol=1e-6, err_msg=name)

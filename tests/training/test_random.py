"""Random numbers that are equal on all backends, and those that methods draw."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_ssl
from keras_ssl.training import random

# Known answers of threefry2x32 with 20 rounds, from the authors' Random123 library.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "expected"), KNOWN_ANSWERS)
def test_threefry_returns_the_known_answers(key, counter, expected):
    words = [ops.convert_to_tensor(np.array([word], "uint32")) for word in counter]
    bits = random.threefry(*key, *words)
    assert [int(ops.convert_to_numpy(x)[0]) for x in bits] == list(expected)


def test_uniform_numbers_cover_0_to_1():
    numbers = ops.convert_to_numpy(random.uniform(0, 3, "directions", (50, 200)))
    assert numbers.shape == (50, 200)
    assert numbers.dtype == keras.config.floatx()
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.01)


def test_normal_numbers_have_mean_0_and_variance_1():
    numbers = ops.convert_to_numpy(random.normal(7, 0, "noise", (200, 100)))
    assert numbers.mean() == pytest.approx(0, abs=0.03)
    assert numbers.std() == pytest.approx(1, abs=0.03)
    assert np.mean(np.abs(numbers) > 1.96) == pytest.approx(0.05, abs=0.01)


def test_random_numbers_are_a_function_of_seed_step_and_name():
    draws = [
        ops.convert_to_numpy(random.uniform(*arguments, (8,)))
        for arguments in [(0, 1, "a"), (1, 1, "a"), (0, 2, "a"), (0, 1, "b"), (0, 1, "a")]
    ]
    for i, left in enumerate(draws[:4]):
        for right in draws[i + 1 : 4]:
            assert not np.any(left == right)
    np.testing.assert_array_equal(draws[0], draws[4])


@keras.saving.register_keras_serializable("tests")
class Noisy(keras_ssl.SelfSupervisedModel):
    """Logs a random number at each step."""

    def compute_losses(self, batch, training):
        noise = self.random_normal("noise", (2,))
        features = ops.mean(self.features(batch.views[0], training))
        return {"loss": features * 0.0 + noise[0], "other": self.random_uniform("other", ())}


def fit_noisy(model, epochs, initial_epoch=0):
    images = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    history = model.fit(
        (images, images), batch_size=4, epochs=epochs, initial_epoch=initial_epoch, verbose=0
    )
    return history.history


@pytest.mark.slow
def test_a_resumed_run_draws_the_random_numbers_of_an_uninterrupted_run(tmp_path):
    def new_model():
        encoder = keras_ssl.encoders.small_resnet((8, 8, 3), width=4)
        model = Noisy(encoder, seed=5)
        model.compile("sgd")
        return model

    uninterrupted = fit_noisy(new_model(), epochs=2)
    assert len({*uninterrupted["loss"], *uninterrupted["other"]}) == 4
    model = new_model()
    fit_noisy(model, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    resumed = fit_noisy(loaded, epochs=2, initial_epoch=1)
    assert resumed["loss"] == uninterrupted["loss"][1:]
    assert resumed["other"] == uninterrupted["other"][1:]

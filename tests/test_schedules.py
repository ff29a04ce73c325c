import keras
import numpy as np
import pytest

from keras_ssl.schedules import CosineMomentum, FixMatchCosineDecay


def test_fixmatch_cosine_decay_is_seven_sixteenths_of_a_cosine():
    schedule = FixMatchCosineDecay(0.03, decay_steps=40)
    for step in (0, 1, 10, 39, 40):
        expected = 0.03 * np.cos(7 * np.pi * step / (16 * 40))
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)
    assert float(schedule(1000)) == float(schedule(40))


@pytest.mark.parametrize("schedule", [FixMatchCosineDecay(0.03, 40), CosineMomentum(0.99, 40)])
def test_schedule_is_saved_with_its_optimizer(schedule):
    optimizer = keras.optimizers.SGD(schedule)
    loaded = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    loaded_schedule = keras.saving.deserialize_keras_object(loaded.get_config()["learning_rate"])
    assert type(loaded_schedule) is type(schedule)
    assert loaded_schedule.get_config() == schedule.get_config()


@pytest.mark.parametrize("arguments", [(0, 10), (-1, 10), (0.1, 0), ("a", 10), (0.1, None)])
def test_fixmatch_cosine_decay_rejects_a_bad_argument(arguments):
    with pytest.raises(
        (TypeError, ValueError), match=r"`(initial_learning_rate|decay_steps)` must be"
    ):
        FixMatchCosineDecay(*arguments)


@pytest.mark.parametrize("initial_value", [0.5, 0.99, 0.996, 0.9995, 1.0])
def test_cosine_momentum_increases_to_1_as_in_the_paper(initial_value):
    schedule = CosineMomentum(initial_value, 40)
    for step in (0, 1, 10, 20, 39, 40, 50):
        progress = min(step, 40) / 40
        expected = 1 - (1 - initial_value) * (np.cos(np.pi * progress) + 1) / 2
        assert float(schedule(step)) == pytest.approx(expected, abs=2e-7)
    assert float(schedule(20)) == pytest.approx((1 + initial_value) / 2, abs=2e-7)


@pytest.mark.parametrize("initial_value", [0, -0.5, 1.5])
def test_cosine_momentum_rejects_a_bad_initial_value(initial_value):
    with pytest.raises(ValueError, match="`initial_value` must be "):
        CosineMomentum(initial_value, 10)

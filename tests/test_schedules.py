import keras
import numpy as np
import pytest

from keras_ssl.schedules import CosineMomentum, FixMatchCosineDecay


def test_is_seven_sixteenths_of_a_cosine():
    schedule = FixMatchCosineDecay(0.03, decay_steps=40)
    for step in (0, 1, 10, 39, 40):
        expected = 0.03 * np.cos(7 * np.pi * step / (16 * 40))
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)
    assert float(schedule(1000)) == float(schedule(40))


def test_is_saved_with_its_optimizer():
    optimizer = keras.optimizers.SGD(FixMatchCosineDecay(0.03, decay_steps=40))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (
        again._learning_rate.get_config() == FixMatchCosineDecay(0.03, decay_steps=40).get_config()
    )


@pytest.mark.parametrize("arguments", [(0, 10), (-1, 10), (0.1, 0), ("a", 10), (0.1, None)])
def test_names_a_bad_argument(arguments):
    with pytest.raises(
        (TypeError, ValueError), match=r"`(initial_learning_rate|decay_steps)` must be"
    ):
        FixMatchCosineDecay(*arguments)


@pytest.mark.parametrize("base", [0.5, 0.99, 0.996, 0.9995, 1.0])
def test_cosine_rises_from_base_to_1_as_in_the_paper(base):
    schedule = CosineMomentum(base, 40)
    for step in (0, 1, 10, 20, 39, 40, 50):
        part = min(step, 40) / 40
        expected = 1 - (1 - base) * (np.cos(np.pi * part) + 1) / 2
        assert float(schedule(step)) == pytest.approx(expected, abs=2e-7)
    assert float(schedule(20)) == pytest.approx((1 + base) / 2, abs=2e-7)


@pytest.mark.parametrize("base", [0, -0.5, 1.5])
def test_a_cosine_that_does_not_rise_to_1_is_refused(base):
    with pytest.raises(ValueError, match="`initial_value` must be "):
        CosineMomentum(base, 10)

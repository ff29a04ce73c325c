import keras
import numpy as np
import pytest

from keras_ssl.optimizers import FixMatchDecay


def test_is_seven_sixteenths_of_a_cosine():
    schedule = FixMatchDecay(0.03, steps=40)
    for step in (0, 1, 10, 39, 40):
        expected = 0.03 * np.cos(7 * np.pi * step / (16 * 40))
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)
    assert float(schedule(1000)) == float(schedule(40))


def test_is_saved_with_its_optimizer():
    optimizer = keras.optimizers.SGD(FixMatchDecay(0.03, steps=40))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again._learning_rate.get_config() == FixMatchDecay(0.03, steps=40).get_config()


@pytest.mark.parametrize("arguments", [(0, 10), (-1, 10), (0.1, 0), ("a", 10), (0.1, None)])
def test_names_a_bad_argument(arguments):
    with pytest.raises(ValueError, match="must be a number above 0, received"):
        FixMatchDecay(*arguments)

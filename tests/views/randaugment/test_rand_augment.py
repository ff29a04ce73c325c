import numpy as np
import tensorflow as tf

from keras_ssl.views import RandAugment
from keras_ssl.views.randaugment.operations import OPERATIONS, apply_randaugment

ALWAYS_THE_SAME = ("AutoContrast", "Equalize", "Identity")
SIGNED = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
# Moving a picture 40 pixels wide by a level moves each corner to a place of its own.
PICTURE = np.random.default_rng(0).integers(5, 250, (1, 40, 40, 3), "uint8")


def every_result(levels):
    """What each operation makes of the picture, at each level: bytes to (operation, level)."""
    return {
        apply_randaugment(PICTURE, name, level).numpy().tobytes(): (name, level)
        for name in OPERATIONS
        for level in ((0,) if name in ALWAYS_THE_SAME else levels)
    }


def test_draws_the_fourteen_operations_at_every_level_and_in_both_directions():
    known = every_result([level for level in range(-9, 10) if level])
    images = np.repeat(PICTURE, 2800, axis=0)
    results = RandAugment(num_ops=1, probability=1.0)(images, (0, 1)).numpy()
    found = [known[result.tobytes()] for result in results]
    counts = np.array([sum(name == each for each, _ in found) for name in OPERATIONS])
    assert np.all(np.abs(counts - 200) < 4.5 * np.sqrt(200))
    for name in SIGNED:
        drawn = {level for each, level in found if each == name}
        assert drawn == {level for level in range(-9, 10) if level}
    assert {abs(level) for each, level in found if each == "Brightness"} == set(range(1, 10))


def test_applies_an_operation_half_of_the_time():
    images = np.repeat(PICTURE, 1400, axis=0)
    results = RandAugment(num_ops=1)(images, (0, 1)).numpy()
    same = np.mean([np.abs(result - PICTURE[0] / 255).max() < 1e-6 for result in results])
    assert abs(same - (1 / 2 + 1 / 28)) < 4.5 * np.sqrt(0.25 / 1400)


def test_applies_as_many_operations_as_asked_one_after_the_other():
    known = every_result([-1, 1])
    seconds = {
        apply_randaugment(np.frombuffer(first, "float32").reshape(1, 40, 40, 3), name, level)
        .numpy()
        .tobytes()
        for first in known
        for name in OPERATIONS
        for level in ((0,) if name in ALWAYS_THE_SAME else (-1, 1))
    }
    images = np.repeat(PICTURE, 300, axis=0)
    results = RandAugment(2, magnitude=2, probability=1.0)(images, (0, 1)).numpy()
    assert all(result.tobytes() in seconds for result in results)
    assert sum(result.tobytes() in known for result in results) < 100  # one of them does nothing


def test_the_highest_level_is_below_the_magnitude():
    known = every_result([-2, -1, 1, 2])
    images = np.repeat(PICTURE, 500, axis=0)
    results = RandAugment(1, magnitude=3, probability=1.0)(images, (0, 1)).numpy()
    assert all(result.tobytes() in known for result in results)


def test_works_where_the_batch_is_known_only_when_it_runs():
    view = RandAugment()
    traced = tf.function(
        lambda images: view(images, (0, 1)),
        input_signature=[tf.TensorSpec((None, 40, 40, 3), tf.uint8)],
    )
    images = np.repeat(PICTURE, 5, axis=0)
    np.testing.assert_allclose(traced(images), view(images, (0, 1)), atol=1e-6)

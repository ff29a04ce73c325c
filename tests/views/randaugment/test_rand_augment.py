import numpy as np
import tensorflow as tf

from keras_ssl.views import RandAugment
from keras_ssl.views.randaugment.operations import OPERATIONS, apply_randaugment

WITHOUT_LEVEL = ("AutoContrast", "Equalize", "Identity")
SIGNED = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
# In an image 40 pixels wide, each level of a geometric operation gives different pixels.
IMAGE = np.random.default_rng(0).integers(5, 250, (1, 40, 40, 3), "uint8")


def expected_results(levels):
    """Returns a dict from the bytes of each possible result to its operation and level."""
    return {
        np.asarray(apply_randaugment(IMAGE, name, level)).tobytes(): (name, level)
        for name in OPERATIONS
        for level in ((0,) if name in WITHOUT_LEVEL else levels)
    }


def test_rand_augment_draws_each_operation_at_each_level_with_both_signs():
    expected = expected_results([level for level in range(-9, 10) if level])
    images = np.repeat(IMAGE, 2800, axis=0)
    results = np.asarray(RandAugment(num_ops=1, probability=1.0)(images, (0, 1)))
    draws = [expected[result.tobytes()] for result in results]
    counts = np.array([sum(name == drawn for drawn, _ in draws) for name in OPERATIONS])
    assert np.all(np.abs(counts - 200) < 4.5 * np.sqrt(200))
    for name in SIGNED:
        levels = {level for drawn, level in draws if drawn == name}
        assert levels == {level for level in range(-9, 10) if level}
    assert {abs(level) for name, level in draws if name == "Brightness"} == set(range(1, 10))


def test_rand_augment_applies_an_operation_half_of_the_time():
    images = np.repeat(IMAGE, 1400, axis=0)
    results = np.asarray(RandAugment(num_ops=1)(images, (0, 1)))
    unchanged = np.mean([np.abs(result - IMAGE[0] / 255).max() < 1e-6 for result in results])
    assert abs(unchanged - (1 / 2 + 1 / 28)) < 4.5 * np.sqrt(0.25 / 1400)


def test_rand_augment_applies_num_ops_operations_in_sequence():
    expected = expected_results([-1, 1])
    after_two = {
        np.asarray(
            apply_randaugment(np.frombuffer(first, "float32").reshape(IMAGE.shape), name, level)
        ).tobytes()
        for first in expected
        for name in OPERATIONS
        for level in ((0,) if name in WITHOUT_LEVEL else (-1, 1))
    }
    images = np.repeat(IMAGE, 300, axis=0)
    results = np.asarray(RandAugment(2, magnitude=2, probability=1.0)(images, (0, 1)))
    assert all(result.tobytes() in after_two for result in results)
    assert (
        sum(result.tobytes() in expected for result in results) < 100
    )  # one of the two is the identity


def test_rand_augment_levels_are_below_the_magnitude():
    expected = expected_results([-2, -1, 1, 2])
    images = np.repeat(IMAGE, 500, axis=0)
    results = np.asarray(RandAugment(1, magnitude=3, probability=1.0)(images, (0, 1)))
    assert all(result.tobytes() in expected for result in results)


def test_rand_augment_accepts_a_batch_of_any_size():
    view = RandAugment()
    traced = tf.function(
        lambda images: view(images, (0, 1)),
        input_signature=[tf.TensorSpec((None, 40, 40, 3), tf.uint8)],
    )
    images = np.repeat(IMAGE, 5, axis=0)
    np.testing.assert_allclose(traced(images), view(images, (0, 1)), atol=1e-6)

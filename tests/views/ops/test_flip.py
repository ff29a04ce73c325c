import numpy as np

from keras_ssl.views import RandomFlip

IMAGES = np.random.default_rng(0).random((2000, 2, 5, 3), "float32")


def test_each_image_is_flipped_or_unchanged(apply):
    results = apply(RandomFlip(), IMAGES)
    is_flipped = (results == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    is_unchanged = (results == IMAGES).all(axis=(1, 2, 3))
    assert np.all(is_flipped != is_unchanged)


def test_the_frequency_of_flips_is_the_probability(apply):
    for probability in (0.0, 0.3, 1.0):
        results = apply(RandomFlip(probability), IMAGES)
        frequency = (results == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3)).mean()
        error = 4 * np.sqrt(probability * (1 - probability) / 2000) + 1e-9
        assert abs(frequency - probability) < error

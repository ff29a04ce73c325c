import numpy as np
import pytest

from keras_ssl.views import RandomFlip, per_image

IMAGES = np.random.default_rng(0).random((2000, 2, 5, 3), "float32")


@pytest.fixture(autouse=True, params=["at once", "one by one"])
def way(request, monkeypatch):
    """Every test is of small images, and of the way that large ones go."""
    monkeypatch.setattr(per_image, "LARGE", 10**9 if request.param == "at once" else 1)


def test_mirrors_left_to_right_or_leaves_the_image():
    results = np.asarray(RandomFlip()(IMAGES, (0, 1)))
    flipped = (results == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    left = (results == IMAGES).all(axis=(1, 2, 3))
    assert np.all(flipped != left)


def test_mirrors_as_often_as_asked():
    for probability in (0.0, 0.3, 1.0):
        results = np.asarray(RandomFlip(probability)(IMAGES, (0, 1)))
        share = (results == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3)).mean()
        assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / 2000) + 1e-9

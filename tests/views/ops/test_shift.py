import numpy as np

from keras_ssl.views import RandomShift

IMAGES = np.random.default_rng(0).integers(0, 256, (400, 8, 9, 1), "uint8")


def test_shifts_are_uniform_over_the_windows_of_the_reflected_image():
    results = np.asarray(RandomShift(2)(IMAGES, (0, 1)))
    padded = np.pad(IMAGES / 255, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    counts = np.zeros((5, 5))
    for result, image in zip(results, padded, strict=True):
        offsets = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.abs(image[y : y + 8, x : x + 9] - result).max() < 1e-6
        ]
        assert len(offsets) == 1
        counts[offsets[0]] += 1
    assert abs(counts - 16).max() < 4.5 * np.sqrt(16)
    assert counts.min() > 0


def test_a_shift_larger_than_the_image_is_reflected_several_times():
    row = np.array([10, 20, 30], "uint8").reshape(1, 1, 3, 1)
    results = np.asarray(RandomShift(7)(np.repeat(row, 200, axis=0), (0, 1)))[:, 0, :, 0]
    expected = np.array([[1, 2, 3], [2, 3, 2], [3, 2, 1], [2, 1, 2]]) * 10 / 255
    np.testing.assert_allclose(np.unique(results, axis=0), np.unique(expected, axis=0), rtol=1e-5)

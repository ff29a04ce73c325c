import numpy as np

from keras_ssl.views import Cutout

IMAGES = np.random.default_rng(0).integers(0, 100, (900, 10, 12, 3), "uint8")


def covered_boxes(results, fill):
    """Yields the covered rows and columns of each image after checking that they form one box."""
    for result, image in zip(results, IMAGES / 255, strict=True):
        is_covered = np.all(result == np.float32(fill), axis=-1)
        rows, columns = is_covered.any(axis=1), is_covered.any(axis=0)
        assert np.array_equal(is_covered, rows[:, None] & columns)
        np.testing.assert_allclose(result[~is_covered], image[~is_covered], atol=1e-6)
        yield rows, columns


def test_the_center_of_the_covered_box_is_uniform_over_the_pixels():
    results = np.asarray(Cutout((4, 6))(IMAGES, (0, 1)))
    heights, tops = np.zeros(5), np.zeros(10)
    for rows, columns in covered_boxes(results, 0.5):
        assert rows.sum() in (2, 3, 4)
        assert columns.sum() in (3, 4, 5, 6)
        heights[rows.sum()] += 1
        tops[rows.argmax()] += 1
    # Of ten centers, two lose two rows or one at the top, and one loses one at the bottom.
    expected = 90 * np.array([0, 0, 1, 2, 7])
    assert np.all(np.abs(heights - expected) < 4.5 * np.sqrt(expected + 1))
    assert tops[0] > tops[1:7].max() > 0


def test_cutout_fills_colors_with_fill_and_alpha_with_1():
    images = np.zeros((1, 4, 4, 4), "uint8")
    result = np.asarray(Cutout(16, fill=0.25)(images, (0, 1)))
    np.testing.assert_allclose(result, np.broadcast_to([0.25, 0.25, 0.25, 1], (1, 4, 4, 4)))

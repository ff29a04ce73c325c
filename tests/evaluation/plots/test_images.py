import numpy as np

from keras_ssl.evaluation.plots import plot_nearest_neighbors, plot_views


def image_on(axis):
    return np.asarray(axis.get_images()[0].get_array())


def has_red_frame(axis):
    return bool(axis.axison and axis.spines["left"].get_edgecolor()[0] > 0.8)


def test_plot_views_has_a_row_for_each_image_and_a_column_for_each_draw(
    saved_figures, read_png, tmp_path, rng
):
    images = rng.integers(0, 256, (3, 8, 8, 1), dtype="uint8")
    seeds = []

    def brighten(batch, seed):
        seeds.append(seed)
        return batch / 255.0 + 0.25

    def crop(batch, seed):
        seeds.append(seed)
        return batch[:, :4, :4] / 255.0

    plot_views(images, (brighten, crop), tmp_path / "views.png", draws=3)
    axes = np.array(saved_figures[0].axes).reshape(3, 7)
    assert len(set(seeds)) == 6
    titles = [axis.get_title() for axis in axes[0]]
    expected = [f"view {view}, draw {draw}" for draw in (1, 2, 3) for view in (1, 2)]
    assert titles == ["image", *expected]
    np.testing.assert_array_equal(image_on(axes[2, 0]), images[2, ..., 0])
    np.testing.assert_allclose(image_on(axes[1, 1]), images[1, ..., 0] / 255 + 0.25)
    assert image_on(axes[1, 2]).shape == (4, 4)
    assert read_png(tmp_path / "views.png").std() > 20


def test_plot_views_does_not_blur_small_images(read_png, tmp_path):
    image = np.zeros((1, 8, 8, 1), "uint8")
    image[0, ::2, ::2] = image[0, 1::2, 1::2] = 255
    plot_views(image, (lambda batch, seed: batch / 255.0,), tmp_path / "views.png", draws=1)
    pixels = read_png(tmp_path / "views.png")
    middle = pixels[pixels.shape[0] // 2]
    # Nearly all pixels across both checkerboards are black or white.
    assert np.mean((middle < 30) | (middle > 225)) > 0.9
    assert np.mean(middle < 30) > 0.3


def test_plot_nearest_neighbors_sorts_neighbors_and_frames_other_classes(
    saved_figures, tmp_path, rng
):
    images = rng.integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    angles = np.deg2rad([0, 10, 20, 30, 40])
    features = np.stack([np.cos(angles), np.sin(angles)], 1) * [[1], [9], [2], [7], [3]]
    queries = (images[:2], np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8]))
    gallery = (images, features, np.array([7, 7, 8, 7, 8]))
    plot_nearest_neighbors(queries, gallery, tmp_path / "neighbors.png", num_neighbors=3)
    axes = np.array(saved_figures[0].axes).reshape(2, 4)
    titles = [axis.get_title() for axis in axes[0]]
    assert titles == ["query", "neighbor 1", "neighbor 2", "neighbor 3"]
    for row, expected in ((0, [0, 1, 2]), (1, [4, 3, 2])):
        for axis, index in zip(axes[row, 1:], expected, strict=True):
            np.testing.assert_array_equal(image_on(axis), images[index])
    framed = [[has_red_frame(axis) for axis in row] for row in axes]
    assert framed == [[False, False, False, True], [False, False, True, False]]


def test_plot_nearest_neighbors_without_labels_has_no_frames(saved_figures, tmp_path, rng):
    images, features = rng.random((4, 8, 8, 1)), rng.normal(size=(4, 3))
    for query_labels, labels in ((None, None), (np.zeros(4), None), (None, np.zeros(4))):
        plot_nearest_neighbors(
            (images, features, query_labels), (images, features, labels), tmp_path / "n.png"
        )
        # Eight neighbors are capped at the four images of the gallery.
        assert len(saved_figures[-1].axes) == 4 * 5
        assert not any(has_red_frame(axis) for axis in saved_figures[-1].axes)

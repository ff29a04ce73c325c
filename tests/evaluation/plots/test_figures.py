"""What the pictures show is read from the figures that are about to be saved."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from keras_ssl.evaluation import plot_history, plot_nearest_neighbors, plot_tsne, plot_views


@pytest.fixture
def saved(monkeypatch):
    """Figures in the order in which they were saved."""
    figures = []
    original = Figure.savefig

    def savefig(self, *args, **kwargs):
        figures.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def pixels(path):
    return np.asarray(Image.open(path))[..., :3].astype("float64")


def shown(axis):
    return np.asarray(axis.get_images()[0].get_array())


def is_framed(axis):
    return axis.axison and axis.spines["left"].get_edgecolor()[0] > 0.8


def test_a_grid_has_a_row_for_each_image_and_a_column_for_each_draw(saved, tmp_path, rng):
    images = rng.integers(0, 256, (3, 8, 8, 1), dtype="uint8")
    seeds = []

    def brighter(batch, seed):
        seeds.append(seed)
        return batch / 255.0 + 0.25

    def small(batch, seed):
        seeds.append(seed)
        return batch[:, :4, :4] / 255.0

    plot_views(images, (brighter, small), tmp_path / "views.png", draws=3)
    axes = np.array(saved[0].axes).reshape(3, 7)
    assert len(set(seeds)) == 6
    titles = [axis.get_title() for axis in axes[0]]
    assert titles == ["image"] + ["view 1", "view 2"] * 3
    np.testing.assert_array_equal(shown(axes[2, 0]), images[2, ..., 0])
    np.testing.assert_allclose(shown(axes[1, 1]), images[1, ..., 0] / 255 + 0.25)
    assert shown(axes[1, 2]).shape == (4, 4)
    assert pixels(tmp_path / "views.png").std() > 20


def test_small_images_are_not_blurred(tmp_path):
    image = np.zeros((1, 8, 8, 1), "uint8")
    image[0, ::2, ::2] = image[0, 1::2, 1::2] = 255
    plot_views(image, (lambda batch, seed: batch / 255.0,), tmp_path / "views.png", draws=1)
    seen = pixels(tmp_path / "views.png")
    middle = seen[seen.shape[0] // 2]
    # Of the pixels across both boards nearly all are black or white.
    assert np.mean((middle < 30) | (middle > 225)) > 0.9
    assert np.mean(middle < 30) > 0.3


def test_curves_have_a_plot_for_each_quantity_and_leave_out_nan(saved, tmp_path):
    history = {
        "epoch": [0, 1, 2],
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [3.5, 2.5, 1.5],
        "knn_accuracy": [float("nan"), 0.5, float("nan")],
        "val_accuracy": [0.1, 0.2, 0.3],
        "a": [1, 2, 3],
        "b": [1, 2, 3],
    }
    plot_history(history, tmp_path / "curves.png")
    plots = {axis.get_title(): axis for axis in saved[0].axes}
    assert list(plots) == ["loss", "knn accuracy", "accuracy", "a", "b"]
    loss, val_loss = plots["loss"].get_lines()
    np.testing.assert_array_equal(loss.get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(val_loss.get_ydata(), [3.5, 2.5, 1.5])
    assert [text.get_text() for text in plots["loss"].get_legend().texts] == ["loss", "val_loss"]
    (alone,) = plots["knn accuracy"].get_lines()
    np.testing.assert_array_equal(alone.get_xydata(), [[2, 0.5]])
    assert alone.get_marker() == "."  # a line of one point would not be seen
    assert pixels(tmp_path / "curves.png").std() > 5
    with pytest.raises(ValueError, match="`history`"):
        plot_history({"epoch": [0]}, tmp_path / "none.png")


def test_a_map_has_a_color_of_its_own_for_each_class(saved, tmp_path, rng):
    labels = np.arange(60) % 10
    plot_tsne(rng.normal(size=(60, 4)) + labels[:, None], labels, tmp_path / "map.png")
    axis = saved[0].axes[0]
    assert [text.get_text() for text in axis.get_legend().texts] == [str(i) for i in range(10)]
    points = [collection.get_offsets() for collection in axis.collections]
    assert [len(some) for some in points] == [6] * 10
    colors = [tuple(collection.get_facecolor()[0]) for collection in axis.collections]
    assert colors == [colormaps["tab10"](i) for i in range(10)]  # no two shades of one color
    assert pixels(tmp_path / "map.png").std() > 5


@pytest.mark.parametrize("labels", [None, np.arange(40)])
def test_a_map_without_classes_or_with_many_has_no_legend(saved, tmp_path, rng, labels):
    plot_tsne(rng.normal(size=(40, 1)), labels, tmp_path / "map.png")
    assert saved[0].axes[0].get_legend() is None
    with pytest.raises(ValueError, match="three rows or more"):
        plot_tsne(np.zeros((2, 4)), None, tmp_path / "map.png")


def test_neighbors_come_in_order_and_those_of_another_class_are_framed(saved, tmp_path, rng):
    images = rng.integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    angles = np.deg2rad([0, 10, 20, 30, 40])
    memory = np.stack([np.cos(angles), np.sin(angles)], 1) * [[1], [9], [2], [7], [3]]
    queries = (images[:2], np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8]))
    path = tmp_path / "neighbors.png"
    plot_nearest_neighbors(queries, (images, memory, np.array([7, 7, 8, 7, 8])), path, count=3)
    axes = np.array(saved[0].axes).reshape(2, 4)
    for row, expected in ((0, [0, 1, 2]), (1, [4, 3, 2])):
        for axis, index in zip(axes[row, 1:], expected, strict=True):
            np.testing.assert_array_equal(shown(axis), images[index])
    framed = [[bool(is_framed(axis)) for axis in row] for row in axes]
    assert framed == [[False, False, False, True], [False, False, True, False]]


def test_neighbors_without_labels_have_no_frames_and_are_no_more_than_there_are(
    saved, tmp_path, rng
):
    images, features = rng.random((4, 8, 8, 1)), rng.normal(size=(4, 3))
    for query_labels, labels in ((None, None), (np.zeros(4), None), (None, np.zeros(4))):
        plot_nearest_neighbors(
            (images, features, query_labels), (images, features, labels), tmp_path / "n.png"
        )
        assert len(saved[-1].axes) == 4 * 5
        assert not any(is_framed(axis) for axis in saved[-1].axes)

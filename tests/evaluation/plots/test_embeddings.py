import numpy as np
import pytest
from matplotlib import colormaps

from keras_ssl.evaluation.plots import plot_tsne


def test_plot_tsne_has_one_color_for_each_class(saved_figures, read_png, tmp_path, rng):
    labels = np.arange(60) % 10
    plot_tsne(rng.normal(size=(60, 4)) + labels[:, None], labels, tmp_path / "map.png")
    axis = saved_figures[0].axes[0]
    assert [text.get_text() for text in axis.get_legend().texts] == [str(i) for i in range(10)]
    points = [collection.get_offsets() for collection in axis.collections]
    assert [len(class_points) for class_points in points] == [6] * 10
    colors = [tuple(collection.get_facecolor()[0]) for collection in axis.collections]
    assert colors == [colormaps["tab10"](i) for i in range(10)]  # no two shades of one color
    assert read_png(tmp_path / "map.png").std() > 5


@pytest.mark.parametrize("labels", [None, np.arange(40)])
def test_plot_tsne_without_classes_or_with_many_has_no_legend(saved_figures, tmp_path, rng, labels):
    plot_tsne(rng.normal(size=(40, 1)), labels, tmp_path / "map.png")
    axis = saved_figures[0].axes[0]
    assert axis.get_legend() is None
    assert ("40 classes" in axis.get_title()) is (labels is not None)


def test_plot_tsne_rejects_two_rows(tmp_path):
    with pytest.raises(ValueError, match="at least three rows"):
        plot_tsne(np.zeros((2, 4)), None, tmp_path / "map.png")

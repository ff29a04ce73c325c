import numpy as np
import pytest

from keras_ssl.evaluation.plots import plot_history


def test_plot_history_has_a_plot_for_each_quantity_and_leaves_out_nan(
    saved_figures, read_png, tmp_path
):
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
    plots = {axis.get_title(): axis for axis in saved_figures[0].axes}
    assert list(plots) == ["loss", "knn accuracy", "accuracy", "a", "b"]
    loss, val_loss = plots["loss"].get_lines()
    np.testing.assert_array_equal(loss.get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(val_loss.get_ydata(), [3.5, 2.5, 1.5])
    legend = plots["loss"].get_legend()
    assert [text.get_text() for text in legend.texts] == ["training", "validation"]
    (single_value,) = plots["knn accuracy"].get_lines()
    np.testing.assert_array_equal(single_value.get_xydata(), [[2, 0.5]])
    assert single_value.get_marker() == "."  # a line of one point would be invisible
    assert read_png(tmp_path / "curves.png").std() > 5


def test_plot_history_rejects_an_empty_history(tmp_path):
    with pytest.raises(ValueError, match=r"`history` must have at least one .*\['epoch'\]"):
        plot_history({"epoch": [0]}, tmp_path / "none.png")

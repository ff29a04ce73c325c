import numpy as np
import pytest

from keras_ssl.evaluation.plots import plot_confusion_matrix, plot_pseudo_label_counts

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 1, 0])
MARGINS = np.array([9.0, 1.0, 9.0, 9.0, 1.0, 1.0])  # of the largest logit; 9 is confident
LOGITS = MARGINS[:, None] * np.eye(3)[PREDICTED]


def test_plot_confusion_matrix_counts_predictions_of_each_class(tmp_path):
    counts = plot_confusion_matrix(LOGITS, LABELS, tmp_path / "confusion.png")
    np.testing.assert_array_equal(counts, [[2, 1, 0], [0, 2, 0], [1, 0, 0]])
    assert (tmp_path / "confusion.png").stat().st_size > 0


def test_plot_pseudo_label_counts_counts_confident_and_all_predictions(tmp_path):
    path = tmp_path / "counts.png"
    confident_counts, all_counts = plot_pseudo_label_counts(LOGITS, path, labels=LABELS)
    np.testing.assert_array_equal(all_counts, [3, 3, 0])
    np.testing.assert_array_equal(confident_counts, [1, 2, 0])
    confident_counts, _ = plot_pseudo_label_counts(LOGITS, path, threshold=0.5)
    np.testing.assert_array_equal(confident_counts, [3, 3, 0])


def test_plots_of_predictions_support_many_classes(tmp_path):
    logits = np.eye(30)
    plot_confusion_matrix(logits, np.arange(30), tmp_path / "many.png")
    plot_pseudo_label_counts(logits, tmp_path / "counts.png")


def test_plots_of_predictions_reject_shapes_that_do_not_match(tmp_path):
    with pytest.raises(ValueError, match=r"Received shapes \(6, 3\) and \(5,\)"):
        plot_confusion_matrix(LOGITS, LABELS[:5], tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"`logits` must have shape \(N, K\), N > 0\. .* \(6,\)"):
        plot_pseudo_label_counts(LABELS, tmp_path / "x.png")

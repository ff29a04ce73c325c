import numpy as np
import pytest

from keras_ssl.evaluation import plot_confusion_matrix, plot_pseudo_label_counts

LABELS = np.array([0, 0, 0, 1, 1, 2])
TAKEN_FOR = np.array([0, 0, 1, 1, 1, 0])
SURE = np.array([9.0, 1.0, 9.0, 9.0, 1.0, 1.0])  # how far the likeliest class is ahead
LOGITS = SURE[:, None] * np.eye(3)[TAKEN_FOR]


def test_the_confusion_matrix_counts_what_was_taken_for_what(tmp_path):
    counts = plot_confusion_matrix(LOGITS, LABELS, tmp_path / "confusion.png")
    np.testing.assert_array_equal(counts, [[2, 1, 0], [0, 2, 0], [1, 0, 0]])
    assert (tmp_path / "confusion.png").stat().st_size > 0


def test_class_counts_are_of_all_and_of_the_confident(tmp_path):
    sure, every = plot_pseudo_label_counts(LOGITS, tmp_path / "counts.png", labels=LABELS)
    np.testing.assert_array_equal(every, [3, 3, 0])
    np.testing.assert_array_equal(sure, [1, 2, 0])
    sure, _ = plot_pseudo_label_counts(LOGITS, tmp_path / "counts.png", threshold=0.5)
    np.testing.assert_array_equal(sure, [3, 3, 0])


def test_many_classes_are_drawn_without_numbers(tmp_path):
    logits = np.eye(30)
    plot_confusion_matrix(logits, np.arange(30), tmp_path / "many.png")
    plot_pseudo_label_counts(logits, tmp_path / "counts.png")


def test_names_the_shapes_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match=r"received shapes \(6, 3\) and \(5,\)"):
        plot_confusion_matrix(LOGITS, LABELS[:5], tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"`logits` must be \(N, K\), N > 0; .* \(6,\)"):
        plot_pseudo_label_counts(LABELS, tmp_path / "x.png")

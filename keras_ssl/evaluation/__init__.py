"""Evaluation of representations: numbers in, numbers out, and pictures to look at."""

from keras_ssl.evaluation.features import extract_features, read_images
from keras_ssl.evaluation.metrics.collapse import alignment, feature_std, rankme, uniformity
from keras_ssl.evaluation.metrics.knn import knn, knn_from_features
from keras_ssl.evaluation.metrics.linear_probe import (
    few_labels,
    linear_probe,
    linear_probe_from_features,
)
from keras_ssl.evaluation.metrics.retrieval import recall_at_k, similarity_matrix
from keras_ssl.evaluation.plots.attention import attention_grid
from keras_ssl.evaluation.plots.classification import class_counts, confusion_matrix
from keras_ssl.evaluation.plots.figures import (
    curves,
    feature_map,
    image_grid,
    nearest_neighbours,
    views_grid,
)
from keras_ssl.evaluation.report import baselines, report
from keras_ssl.evaluation.table import format_table, probe_table

__all__ = [
    "alignment",
    "attention_grid",
    "baselines",
    "class_counts",
    "confusion_matrix",
    "curves",
    "extract_features",
    "feature_map",
    "feature_std",
    "few_labels",
    "format_table",
    "image_grid",
    "knn",
    "knn_from_features",
    "linear_probe",
    "linear_probe_from_features",
    "nearest_neighbours",
    "probe_table",
    "rankme",
    "read_images",
    "recall_at_k",
    "report",
    "similarity_matrix",
    "uniformity",
    "views_grid",
]

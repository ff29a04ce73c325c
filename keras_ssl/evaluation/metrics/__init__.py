"""Metrics of representations."""

from keras_ssl.evaluation.metrics.collapse import alignment, feature_std, rankme, uniformity
from keras_ssl.evaluation.metrics.knn import knn, knn_from_features
from keras_ssl.evaluation.metrics.linear_probe import (
    linear_probe,
    linear_probe_from_features,
    low_shot_probe,
)
from keras_ssl.evaluation.metrics.retrieval import recall_at_k

__all__ = [
    "alignment",
    "feature_std",
    "knn",
    "knn_from_features",
    "linear_probe",
    "linear_probe_from_features",
    "low_shot_probe",
    "rankme",
    "recall_at_k",
    "uniformity",
]

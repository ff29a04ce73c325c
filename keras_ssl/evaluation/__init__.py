"""Evaluation of representations: metrics, tables and plots."""

from keras_ssl.evaluation import plots
from keras_ssl.evaluation.datasets import read_images
from keras_ssl.evaluation.features import extract_features
from keras_ssl.evaluation.metrics import (
    alignment,
    feature_std,
    knn,
    knn_from_features,
    linear_probe,
    linear_probe_from_features,
    low_shot_probe,
    rankme,
    recall_at_k,
    uniformity,
)
from keras_ssl.evaluation.report import baselines, report
from keras_ssl.evaluation.table import format_table, probe_table

__all__ = [
    "alignment",
    "baselines",
    "extract_features",
    "feature_std",
    "format_table",
    "knn",
    "knn_from_features",
    "linear_probe",
    "linear_probe_from_features",
    "low_shot_probe",
    "plots",
    "probe_table",
    "rankme",
    "read_images",
    "recall_at_k",
    "report",
    "uniformity",
]

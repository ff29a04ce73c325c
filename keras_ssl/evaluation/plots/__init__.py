"""Plots of training, views, features and predictions, written to image files."""

from keras_ssl.evaluation.plots.attention import plot_attention
from keras_ssl.evaluation.plots.classification import (
    plot_confusion_matrix,
    plot_pseudo_label_counts,
)
from keras_ssl.evaluation.plots.embeddings import plot_tsne
from keras_ssl.evaluation.plots.history import plot_history
from keras_ssl.evaluation.plots.images import plot_images, plot_nearest_neighbors, plot_views
from keras_ssl.evaluation.plots.similarity import plot_similarity_matrix

__all__ = [
    "plot_attention",
    "plot_confusion_matrix",
    "plot_history",
    "plot_images",
    "plot_nearest_neighbors",
    "plot_pseudo_label_counts",
    "plot_similarity_matrix",
    "plot_tsne",
    "plot_views",
]

"""Plots: what views do to images, how a run went, what features look like."""

from keras_ssl.evaluation.plots.attention import plot_attention
from keras_ssl.evaluation.plots.classification import (
    plot_confusion_matrix,
    plot_pseudo_label_counts,
)
from keras_ssl.evaluation.plots.figures import (
    plot_history,
    plot_images,
    plot_nearest_neighbors,
    plot_tsne,
    plot_views,
)
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

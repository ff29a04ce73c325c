"""Callbacks for `fit`: probes of the features, checkpoints and logs."""

from keras_ssl.callbacks.checkpoint import Checkpoint
from keras_ssl.callbacks.checkpoint_files import latest_checkpoint
from keras_ssl.callbacks.collapse_monitor import CollapseMonitor
from keras_ssl.callbacks.csv_logger import ResumableCSVLogger, read_history
from keras_ssl.callbacks.knn_probe import KNNProbe
from keras_ssl.callbacks.run_dir import prepare_run_dir
from keras_ssl.callbacks.sigterm import TrainingTerminated

__all__ = [
    "Checkpoint",
    "CollapseMonitor",
    "KNNProbe",
    "ResumableCSVLogger",
    "TrainingTerminated",
    "latest_checkpoint",
    "prepare_run_dir",
    "read_history",
]

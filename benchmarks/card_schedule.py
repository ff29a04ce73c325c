"""Learning rate and evaluations by elapsed time, for `card_race.py`."""

import json
import math
import time

import keras


class CosineByTime(keras.callbacks.Callback):
    """Sets the learning rate of each epoch from the elapsed time, and ends training.

    The rate is constant within an epoch: to set it between two steps, Keras would have to move the
    weights from the steps to the model and back. The clock starts when the first step has been
    compiled. Training ends with the epoch whose end is closest to the end of the time.

    Args:
        peak: Float, learning rate at the start.
        seconds: Function without arguments that returns the seconds of training. It is called
            when the clock starts.
        clock: Function without arguments that returns the time in seconds.
    """

    def __init__(self, peak, seconds, clock=time.monotonic):
        super().__init__()
        self.peak, self.seconds, self.clock = peak, seconds, clock
        self.total = self.start_time = None
        self.num_batches = 0
        self.epoch_start = 0.0

    @property
    def elapsed(self):
        """Seconds since the clock started, 0 before."""
        return 0.0 if self.start_time is None else self.clock() - self.start_time

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_start = self.elapsed
        share = min(1.0, self.epoch_start / self.total) if self.total else 0.0
        self.model.optimizer.learning_rate = self.peak * (1 + math.cos(math.pi * share)) / 2

    def on_train_batch_begin(self, batch, logs=None):
        if self.num_batches == 1:  # JAX has compiled the first step before it returned
            self.total, self.start_time = self.seconds(), self.clock()
        self.num_batches += 1

    def on_epoch_end(self, epoch, logs=None):
        duration = self.elapsed - self.epoch_start
        if self.total is not None and self.elapsed + duration / 2 >= self.total:
            self.model.stop_training = True


class ProbeByTime(keras.callbacks.Callback):
    """Evaluates features by k nearest neighbors at the end of an epoch, every some seconds.

    Args:
        schedule: The `CosineByTime` of the run, before this one in the list of callbacks.
        evaluate: Function without arguments that returns an accuracy.
        every: Float, seconds between two evaluations.
    """

    def __init__(self, schedule, evaluate, every):
        super().__init__()
        self.schedule, self.evaluate, self.every = schedule, evaluate, every
        self.rows, self.due = [], every

    def on_epoch_end(self, epoch, logs=None):
        elapsed = self.schedule.elapsed
        if elapsed < self.due and not self.model.stop_training:
            return
        self.due = elapsed + self.every
        self.add(epoch + 1, elapsed, logs["loss"])

    def add(self, epochs, elapsed, loss):
        """Evaluates, and prints the row."""
        row = {"minutes": elapsed / 60, "epochs": epochs, "loss": loss}
        row |= {"learning_rate": float(self.model.optimizer.learning_rate)}
        row |= {"knn": 100 * self.evaluate(), "device": keras.distribution.list_devices()[0]}
        self.rows.append(row)
        print(json.dumps(row), flush=True)

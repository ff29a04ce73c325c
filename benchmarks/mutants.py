"""Faults of one line, to measure whether the tests catch them.

python benchmarks/mutants.py
python benchmarks/mutants.py --only queue-keeps-the-oldest-rows --jobs 2

Each fault is applied to its own copy of the project, where the tests that should catch it run.
Prints a table, and exits with status 1 if more than `MAX_SURVIVORS` faults survive. The tests must
pass without a fault: a test that always fails catches everything.
"""

import concurrent.futures
import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tyro

ROOT = Path(__file__).parents[1]
COPIED = ("benchmarks", "keras_ssl", "recipes", "tests", "pyproject.toml")
MAX_SURVIVORS = 2
FAILED, PASSED = 1, 0  # exit statuses of pytest


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A fault, and the tests that should catch it.

    Attributes:
        name: A short description in words joined by hyphens.
        file: The file with the fault.
        old: A part of one line that occurs once in the file.
        new: The faulty code that replaces it.
        tests: Arguments of pytest: test files and options.
        backend: The backend of Keras that the tests run on.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    backend: str = "tensorflow"

    def test_files(self) -> list[str]:
        """Returns the test files among the arguments of pytest."""
        paths = [argument.partition("::")[0] for argument in shlex.split(self.tests)]
        return [path for path in paths if path.endswith(".py")]

    def apply(self, folder: Path) -> None:
        """Writes the fault into a copy of the project."""
        path = folder / self.file
        source = path.read_text()
        if source.count(self.old) != 1:
            raise ValueError(
                f"`old` of {self.name} must occur once in {self.file}. It occurs "
                f"{source.count(self.old)} times."
            )
        path.write_text(source.replace(self.old, self.new))


LOSSES = (
    Mutant(
        "negative-cosine-trains-its-targets",
        "keras_ssl/losses/cosine.py",
        'ops.stop_gradient(as_float(z, "z"))',
        'as_float(z, "z")',
        "tests/losses/test_cosine.py -k negative_cosine",
    ),
    Mutant(
        "byol-trains-its-targets",
        "keras_ssl/losses/cosine.py",
        "return 2.0 + 2.0 * negative_cosine(p, z)",
        "return 1.0 + negative_cosine(p, z) + 1.0 + negative_cosine(z, p)",
        "tests/losses/test_cosine.py -k byol",
    ),
    Mutant(
        "swav-trains-its-assignments",
        "keras_ssl/losses/swav.py",
        'ops.stop_gradient(as_float(assignments, "assignments"))',
        'as_float(assignments, "assignments")',
        "tests/losses/test_swav.py",
    ),
    Mutant(
        "sinkhorn-has-a-gradient",
        "keras_ssl/losses/swav.py",
        'ops.stop_gradient(as_float(scores, "scores"))',
        'as_float(scores, "scores")',
        "tests/losses/test_swav.py -k sinkhorn",
    ),
    Mutant(
        "dino-trains-its-teacher",
        "keras_ssl/losses/dino.py",
        'ops.stop_gradient(as_float(teacher, "teacher"))',
        'as_float(teacher, "teacher")',
        "tests/losses/test_dino.py",
    ),
    Mutant(
        "dino-does-not-subtract-the-center",
        "keras_ssl/losses/dino.py",
        "(teacher - center) / teacher_temperature",
        "teacher / teacher_temperature",
        "tests/losses/test_dino.py",
    ),
    Mutant(
        "info-nce-trains-its-keys",
        "keras_ssl/losses/info_nce.py",
        'ops.stop_gradient(as_float(key, "key"))',
        'as_float(key, "key")',
        "tests/losses/test_info_nce.py",
    ),
    Mutant(
        "pseudo-labels-have-a-gradient",
        "keras_ssl/losses/fixmatch.py",
        'ops.stop_gradient(as_float(targets, "targets"))',
        'as_float(targets, "targets")',
        "tests/losses/test_fixmatch.py",
    ),
    Mutant(
        "dash-pseudo-labels-have-a-gradient",
        "keras_ssl/losses/dash.py",
        'ops.stop_gradient(as_float(weak_logits, "weak_logits"))',
        'as_float(weak_logits, "weak_logits")',
        "tests/losses/test_dash.py",
    ),
    Mutant(
        "mean-teacher-trains-its-teacher",
        "keras_ssl/losses/mean_teacher.py",
        'ops.stop_gradient(as_float(teacher_logits, "teacher_logits"))',
        'as_float(teacher_logits, "teacher_logits")',
        "tests/losses/test_mean_teacher.py",
    ),
    Mutant(
        "fixmatch-masks-out-the-threshold-itself",
        "keras_ssl/losses/fixmatch.py",
        "confidence >= ops.convert_to_tensor",
        "confidence > ops.convert_to_tensor",
        "tests/losses/test_fixmatch.py",
    ),
    Mutant(
        "uda-does-not-sharpen-its-targets",
        "keras_ssl/losses/uda.py",
        "ops.softmax(weak / temperature, axis=1)",
        "ops.softmax(weak, axis=1)",
        "tests/losses/test_uda.py",
    ),
    Mutant(
        "koleo-neighbor-is-the-image-itself",
        "keras_ssl/losses/koleo.py",
        "similarity - 4.0 * ops.eye",
        "similarity - 0.0 * ops.eye",
        "tests/losses/test_koleo.py",
    ),
    Mutant(
        "mae-learns-visible-patches",
        "keras_ssl/losses/mae.py",
        "ops.sum(mask * patch_errors)",
        "ops.sum((1.0 - mask) * patch_errors)",
        "tests/losses/test_mae.py",
    ),
    Mutant(
        "vicreg-variance-is-biased",
        "keras_ssl/losses/vicreg.py",
        "ops.maximum(ops.shape(centered)[0] - 1, 1)",
        "ops.maximum(ops.shape(centered)[0], 1)",
        "tests/losses/test_vicreg.py",
    ),
    Mutant(
        "barlow-twins-has-another-epsilon",
        "keras_ssl/losses/barlow_twins.py",
        "EPSILON = 1e-5",
        "EPSILON = 1e-3",
        "tests/losses/test_barlow_twins.py",
    ),
    Mutant(
        "coding-rate-is-not-scaled-by-the-width",
        "keras_ssl/losses/emp_ssl.py",
        "scale = dim / (",
        "scale = 1.0 / (",
        "tests/losses/test_emp_ssl.py",
    ),
)

METHODS = (
    Mutant(
        "ema-momentum-is-swapped",
        "keras_ssl/layers/ema.py",
        "keep * old + (1 - keep) * ops.cast(new, old.dtype)",
        "(1 - keep) * old + keep * ops.cast(new, old.dtype)",
        "tests/layers/test_ema.py",
    ),
    Mutant(
        "ema-averages-batch-norm-statistics",
        "keras_ssl/layers/ema.py",
        "if new.trainable:",
        "if new.trainable or copy_statistics:",
        "tests/training/test_semi_supervised.py -k ema_classifier_averages",
    ),
    Mutant(
        "queue-is-off-by-one",
        "keras_ssl/layers/memory_bank.py",
        "axis=0)[: queue.shape[0]]",
        "axis=0)[1 : queue.shape[0] + 1]",
        "tests/layers/test_memory_bank.py",
    ),
    Mutant(
        "queue-keeps-the-oldest-rows",
        "keras_ssl/layers/memory_bank.py",
        "ops.concatenate([rows, ops.convert_to_tensor(queue)], axis=0)",
        "ops.concatenate([ops.convert_to_tensor(queue), rows], axis=0)",
        "tests/layers/test_memory_bank.py",
    ),
    Mutant(
        "simclr-contrasts-within-each-replica",
        "keras_ssl/models/self_supervised/simclr.py",
        "[distribute.all_gather(view) for view in self.project_views(batch.views, training)]",
        "self.project_views(batch.views, training)",
        "tests/models/test_equality.py -k 'test_two_replicas_match and SimCLR'",
    ),
    Mutant(
        "freematch-averages-within-each-replica",
        "keras_ssl/training/semi_supervised.py",
        "Logits(*(x if x is None else distribute.all_gather(x) for x in local))",
        "local",
        "tests/models/test_equality.py -k 'test_two_replicas_match and FreeMatch'",
    ),
    Mutant(
        "mae-reconstruction-lacks-the-mean",
        "keras_ssl/models/self_supervised/mae.py",
        "predicted * ops.sqrt(variance + EPSILON) + mean",
        "predicted * ops.sqrt(variance + EPSILON)",
        "tests/models/self_supervised/test_mae.py -k reconstruction",
    ),
    Mutant(
        "dino-updates-its-center-in-evaluation",
        "keras_ssl/models/self_supervised/dino.py",
        "if training:",
        "if True:",
        "tests/models/test_methods.py -k 'test_evaluate_moves_nothing and DINO and not v2'",
    ),
    Mutant(
        "dinov2-spreads-small-crops",
        "keras_ssl/models/self_supervised/dinov2.py",
        "for crop in student_crops[:NUM_LARGE_CROPS]",
        "for crop in student_crops",
        "tests/models/self_supervised/test_dinov2.py -k koleo",
    ),
    Mutant(
        "swav-fills-its-queue-before-the-start",
        "keras_ssl/models/self_supervised/swav.py",
        "self.step >= self.queue_start",
        "self.step >= 0 * self.queue_start",
        "tests/models/self_supervised/test_swav.py -k queue",
    ),
    Mutant(
        "swav-uses-a-queue-that-is-not-full",
        "keras_ssl/models/self_supervised/swav.py",
        "self.queue[-1] != 0",
        "self.queue[0] != 0",
        "tests/models/self_supervised/test_swav.py -k queue",
    ),
    Mutant(
        "moco-v3-lacks-the-factor-of-the-paper",
        "keras_ssl/models/self_supervised/moco.py",
        "return 2.0 * (2.0 * temperature) * mean",
        "return 2.0 * mean",
        "tests/models/self_supervised/test_moco.py -k v3",
    ),
    Mutant(
        "moco-keys-come-from-the-online-encoder",
        "keras_ssl/models/self_supervised/moco.py",
        "distribute.all_gather(self.project(second, training, momentum=True))",
        "distribute.all_gather(self.project(second, training))",
        "tests/models/self_supervised/test_moco.py -k v2",
    ),
    Mutant(
        "clip-logit-scale-is-not-clipped",
        "keras_ssl/models/vision_language/clip.py",
        "ops.minimum(self.log_scale, math.log(self.max_logit_scale))",
        "self.log_scale + 0.0 * math.log(self.max_logit_scale)",
        "tests/models/vision_language/test_clip.py -k logit_scale",
    ),
    Mutant(
        "freematch-updates-its-histogram-too-late",
        "keras_ssl/models/semi_supervised/freematch.py",
        "histogram = self.update_running_mean(self.histogram, batch_histogram, momentum)",
        "histogram = self.histogram + 0.0; "
        "self.update_running_mean(self.histogram, batch_histogram, momentum)",
        "tests/models/semi_supervised/test_freematch.py",
    ),
    Mutant(
        "flexmatch-maps-thresholds-linearly",
        "keras_ssl/models/semi_supervised/flexmatch.py",
        "self.threshold * learned / (2.0 - learned)",
        "self.threshold * learned",
        "tests/models/semi_supervised/test_flexmatch.py -k paper",
    ),
    Mutant(
        "softmatch-variance-is-biased",
        "keras_ssl/models/semi_supervised/softmatch.py",
        "ops.cast(ops.shape(squares)[0] - 1, squares.dtype)",
        "ops.cast(ops.shape(squares)[0], squares.dtype)",
        "tests/models/semi_supervised/test_softmatch.py -k paper",
    ),
    Mutant(
        "dash-threshold-grows",
        "keras_ssl/models/semi_supervised/dash.py",
        "ops.power(decay, -num_decays)",
        "ops.power(decay, num_decays)",
        "tests/models/semi_supervised/test_dash.py -k 'paper or decays'",
    ),
    Mutant(
        "adamatch-does-not-align",
        "keras_ssl/models/semi_supervised/adamatch.py",
        "weak * mean(labeled, axis=0) / ops.maximum(mean(weak, axis=0), EPSILON)",
        "weak",
        "tests/models/semi_supervised/test_adamatch.py",
    ),
    Mutant(
        "mean-teacher-evaluates-its-teacher",
        "keras_ssl/models/semi_supervised/mean_teacher.py",
        "batch.weak, training=True",
        "batch.weak, training=False",
        "tests/models/semi_supervised/test_mean_teacher.py",
    ),
    Mutant(
        "predictions-are-not-those-of-the-averaged-weights",
        "keras_ssl/training/semi_supervised.py",
        "return self.ema_classifier",
        "return self.classifier",
        "tests/training/test_semi_supervised.py -k averaged_weights",
    ),
    Mutant(
        "evaluation-does-not-use-the-averaged-weights",
        "keras_ssl/training/semi_supervised.py",
        "self.forward(self.ema_classifier, batch.images, training=False)",
        "self.forward(self.classifier, batch.images, training=False)",
        "tests/training/test_semi_supervised.py -k averaged_weights",
    ),
    Mutant(
        "each-view-is-its-own-target",
        "keras_ssl/training/view_pairs.py",
        "for i, p in enumerate(predictions) if i != j]",
        "for i, p in enumerate(predictions) if i == j]",
        "tests/models/self_supervised/test_simsiam.py -k mean_over",
    ),
)

TRAINING = (
    Mutant(
        "jax-updates-after-a-loss-that-is-not-finite",
        "keras_ssl/training/step/jax.py",
        "lambda new, old: ops.where(is_finite, new, old)",
        "lambda new, old: new",
        "tests/training/step/test_nan_guard.py -k on_jax",
    ),
    Mutant(
        "tensorflow-updates-after-a-loss-that-is-not-finite",
        "keras_ssl/training/step/tensorflow.py",
        "self.run_if(is_finite, apply)",
        "apply()",
        "tests/training/step/test_nan_guard.py -k 'before_the_step or changes_weights'",
    ),
    Mutant(
        "steps-continue-after-a-loss-that-is-not-finite",
        "keras_ssl/training/step/tensorflow.py",
        'is_finite &= tf.math.is_finite(model.tracker("loss").total)',
        "pass",
        "tests/training/step/test_nan_guard.py -k changes_weights",
    ),
    Mutant(
        "xla-keeps-an-update-that-is-not-finite",
        "keras_ssl/training/step/tensorflow.py",
        "variable.assign(tf.where(is_finite, variable.value, value))",
        "variable.assign(variable.value)",
        "tests/training/step/test_nan_guard.py -k before_the_step",
    ),
    Mutant(
        "device-views-draw-from-another-epoch",
        "keras_ssl/data/pipeline.py",
        "for number in (phase, epoch, index)",
        "for number in (phase, epoch + 1, index)",
        "tests/training/fit/test_device_views.py -k host_views",
    ),
    Mutant(
        "device-views-of-arrays-draw-from-another-epoch",
        "keras_ssl/training/fit/array_dataset.py",
        'np.array([self.phase, epoch, index], "int32")',
        'np.array([self.phase, epoch + 1, index], "int32")',
        "tests/training/fit/test_device_views.py -k 'host_views and array-SimCLR'",
        "jax",
    ),
    Mutant(
        "arrays-on-jax-have-another-order",
        "keras_ssl/training/fit/array_dataset.py",
        "fold_in([self.seed, self.phase], epoch)",
        "fold_in([self.seed, self.phase + 1], epoch)",
        "tests/training/fit/test_device_views.py -k 'host_views and array-SimCLR'",
        "jax",
    ),
    Mutant(
        "semi-supervised-arrays-on-jax-have-another-epoch",
        "keras_ssl/data/semi_supervised_arrays.py",
        'np.array(position, "int32")',
        'np.array(position, "int32") + 1',
        "tests/data/test_semi_supervised_arrays.py -k views_without",
        "jax",
    ),
    Mutant(
        "a-second-fit-makes-the-views-of-the-first",
        "keras_ssl/training/semi_supervised.py",
        "self.train_function = None",
        "pass",
        "tests/training/fit/test_semi_supervised_on_device.py -k 'other and views'",
        "jax",
    ),
    Mutant(
        "rand-augment-of-devices-moves-no-row",
        "keras_ssl/views/randaugment/rand_augment.py",
        "ops.where(is_drawn, new_y, y)",
        "y",
        "tests/data/test_semi_supervised_arrays.py -k views_without",
        "jax",
    ),
    Mutant(
        "variance-on-jax-is-the-mean-of-squares",
        "keras_ssl/training/step/batch_norm.py",
        "ops.mean(ops.square(inputs), axis=axes) - ops.square(mean)",
        "ops.mean(ops.square(inputs), axis=axes)",
        "tests/training/step/test_batch_norm_statistics.py",
        "jax",
    ),
    Mutant(
        "philox-has-a-round-less",
        "keras_ssl/views/draws.py",
        "for index in range(10):",
        "for index in range(9):",
        "tests/views/test_draws.py",
        "jax",
    ),
    Mutant(
        "shuffle-rotates-by-another-count",
        "keras_ssl/data/index_shuffle.py",
        "for count in (1, 2, 8)",
        "for count in (1, 3, 8)",
        "tests/data/test_index_shuffle.py",
    ),
    Mutant(
        "views-run-one-by-one-although-together",
        "keras_ssl/training/self_supervised.py",
        "if self.together:",
        "if False:",
        "tests/models/self_supervised/test_simclr.py",
    ),
    Mutant(
        "checkpoint-by-minutes-counts-seconds",
        "keras_ssl/callbacks/checkpoint.py",
        ">= 60 * self.save_every_minutes",
        ">= self.save_every_minutes",
        "tests/callbacks/test_checkpoint.py -k minutes",
    ),
    Mutant(
        "gradients-are-not-divided-by-the-replicas",
        "keras_ssl/training/step/tensorflow.py",
        'scale_loss(losses["loss"] / distribute.num_replicas())',
        'scale_loss(losses["loss"])',
        "tests/models/test_equality.py -k 'test_two_replicas_match and SimCLR'",
    ),
    Mutant(
        "replicas-do-not-share-an-overflow",
        "keras_ssl/training/step/base.py",
        'distribute.all_gather(ops.cast(are_finite(gradients), "float32")[None])',
        'ops.cast(are_finite(gradients), "float32")[None]',
        "tests/training/step/test_nan_guard.py -k overflow",
    ),
    Mutant(
        "every-accumulated-batch-ends-a-step",
        "keras_ssl/training/step/base.py",
        "self.run_if(ops.equal(batches % accumulation_steps, 0), model.on_step_end)",
        "model.on_step_end()",
        "tests/training/test_state.py -k test_gradient_accumulation",
    ),
    Mutant(
        "prototypes-are-frozen-a-step-too-long",
        "keras_ssl/training/step/base.py",
        "model.step >= first_step",
        "model.step > first_step",
        "tests/models/self_supervised/test_dino.py -k frozen",
    ),
    Mutant(
        "random-states-are-not-saved",
        "keras_ssl/training/method.py",
        "state.save_random_states(self, store)",
        "pass",
        "tests/callbacks/test_checkpoint.py -k 'within_an_epoch and array'",
    ),
    Mutant(
        "validation-images-are-trained-on",
        "keras_ssl/training/fit/sources.py",
        "return (x[:index], y[:index]), (x[index:], y[index:])",
        "return (x, y), (x[index:], y[index:])",
        "tests/training/fit/test_sources.py -k validation_split",
    ),
    Mutant(
        "last-partial-batch-is-trained-on",
        "keras_ssl/training/fit/array_dataset.py",
        "return self.num_images // self.batch_size",
        "return -(-self.num_images // self.batch_size)",
        "tests/training/fit/test_sources.py -k partial_batches",
    ),
    Mutant(
        "resumed-epoch-skips-a-batch-too-many",
        "keras_ssl/training/fit/array_dataset.py",
        "self.dataset[self.first + index]",
        "self.dataset[self.first + index + 1]",
        "tests/callbacks/test_checkpoint.py -k 'within_an_epoch and arrays'",
    ),
    Mutant(
        "epochs-in-one-iteration-repeat-the-first",
        "keras_ssl/data/epoch_counter.py",
        "self.value += self._advances",
        "self.value += 0",
        "tests/training/test_semi_supervised.py -k steps_per_epoch",
    ),
    Mutant(
        "every-epoch-repeats-the-first",
        "keras_ssl/training/fit/resumable_fit.py",
        "counter.value = epoch",
        "counter.value = 0",
        "tests/data/test_pipeline.py -k custom_loop",
    ),
    Mutant(
        "every-worker-is-the-chief",
        "keras_ssl/distribute.py",
        "cluster_resolver.task_id == 0",
        "cluster_resolver.task_id >= 0",
        "tests/test_distribute.py -k chief",
    ),
    Mutant(
        "repeated-epochs-stay-in-the-log",
        "keras_ssl/callbacks/csv_logger.py",
        'if row["epoch"] < epoch]',
        'if row["epoch"] <= epoch]',
        "tests/callbacks/test_csv_logger.py",
    ),
    Mutant(
        "training-waits-for-the-flush-of-a-checkpoint",
        "keras_ssl/callbacks/checkpoint.py",
        "self._flush.start(self._complete, file)",
        "self._complete(file)",
        "tests/callbacks/test_checkpoint.py -k flushed",
    ),
    Mutant(
        "checkpoint-is-not-flushed",
        "keras_ssl/callbacks/checkpoint_files.py",
        "_fsync(self.temporary_path)",
        "pass",
        "tests/callbacks/test_checkpoint.py -k flushed",
    ),
    Mutant(
        "folder-of-checkpoints-is-not-flushed",
        "keras_ssl/callbacks/checkpoint_files.py",
        "_fsync(self.path.parent)",
        "pass",
        "tests/callbacks/test_checkpoint.py -k flushed",
    ),
    Mutant(
        "batches-share-the-memory-of-the-users-arrays",
        "keras_ssl/training/fit/array_dataset.py",
        "rows = self._epoch_order(self.epoch)[start : start + self.batch_size]",
        "rows = slice(start, start + self.batch_size)",
        "tests/training/fit/test_sources.py -k share",
    ),
    Mutant(
        "batches-share-the-memory-of-a-pydataset",
        "keras_ssl/training/fit/array_dataset.py",
        "map_structure(_copy, self.dataset[index])",
        "map_structure(np.asarray, self.dataset[index])",
        "tests/training/fit/test_sources.py -k share",
    ),
    Mutant(
        "lars-scales-the-steps-of-biases",
        "keras_ssl/optimizers/lars.py",
        "if len(variable.shape) > 1:",
        "if len(variable.shape) > 0:",
        "tests/optimizers/test_lars.py -k paper",
    ),
    Mutant(
        "l2-sgd-decays-biases",
        "keras_ssl/optimizers/l2_sgd.py",
        "len(variable.shape) > 1",
        "len(variable.shape) > 0",
        "tests/optimizers/test_l2_sgd.py",
    ),
    Mutant(
        "fixmatch-learning-rate-falls-to-zero",
        "keras_ssl/schedules.py",
        "7 * math.pi / 16 * step",
        "math.pi / 2 * step",
        "tests/test_schedules.py",
    ),
    Mutant(
        "cosine-momentum-falls",
        "keras_ssl/schedules.py",
        "(1.0 + cosine) / 2.0",
        "(1.0 - cosine) / 2.0",
        "tests/test_schedules.py",
    ),
    Mutant(
        "threefry-has-a-wrong-rotation",
        "keras_ssl/training/random.py",
        "(13, 15, 26, 6)",
        "(13, 15, 26, 7)",
        "tests/training/test_random.py -k threefry",
    ),
    Mutant(
        "export-does-not-divide-by-255",
        "keras_ssl/export.py",
        "layers.Rescaling(1 / 255, dtype=floatx)",
        "layers.Rescaling(1.0, dtype=floatx)",
        "tests/test_export.py -k test_serving_model",
    ),
)

DATA_AND_EVALUATION = (
    Mutant(
        "labeled-and-weak-views-share-their-seeds",
        "keras_ssl/data/semi_supervised_arrays.py",
        "STRONG_VIEW = 2, 3, 4, 5, 6",
        "STRONG_VIEW = 2, 3, 4, 4, 6",
        "tests/data/test_semi_supervised.py -k seeds",
    ),
    Mutant(
        "training-and-evaluation-share-their-seeds",
        "keras_ssl/data/pipeline.py",
        "TRAINING, EVALUATION = 0, 1",
        "TRAINING, EVALUATION = 0, 0",
        "tests/data/test_pipeline.py -k evaluation",
    ),
    Mutant(
        "held-out-images-are-moved-by-one",
        "keras_ssl/data/sources.py",
        "index % HOLD_OUT_EVERY, HOLD_OUT_EVERY - 1",
        "index % HOLD_OUT_EVERY, HOLD_OUT_EVERY - 2",
        "tests/data/test_sources.py -k held_out",
    ),
    Mutant(
        "first-test-digit-is-trained-on",
        "keras_ssl/data/sources.py",
        "NUM_TRAIN_DIGITS = 1437",
        "NUM_TRAIN_DIGITS = 1438",
        "tests/data/test_sources.py -k digits",
    ),
    Mutant(
        "knn-ignores-its-temperature",
        "keras_ssl/evaluation/metrics/knn.py",
        "np.exp((similarities - nearest) / temperature)",
        "np.exp(similarities - nearest)",
        "tests/evaluation/metrics/test_knn.py",
    ),
    Mutant(
        "linear-probe-centers-on-the-test-images",
        "keras_ssl/evaluation/metrics/linear_probe.py",
        "train - mean, test - mean",
        "train - mean, test - test.mean(0)",
        "tests/evaluation/metrics/test_linear_probe.py",
    ),
    Mutant(
        "rankme-has-the-wrong-sign",
        "keras_ssl/evaluation/metrics/collapse.py",
        "np.exp(-np.sum(p * np.log(p)))",
        "np.exp(np.sum(p * np.log(p)))",
        "tests/evaluation/metrics/test_collapse.py -k rankme",
    ),
    Mutant(
        "rankme-centers-features",
        "keras_ssl/evaluation/metrics/collapse.py",
        "np.linalg.svd(_as_features(features=features)[0], compute_uv=False)",
        "np.linalg.svd(features - np.mean(features, axis=0), compute_uv=False)",
        "tests/evaluation/metrics/test_collapse.py -k rankme",
    ),
    Mutant(
        "flips-have-the-complementary-probability",
        "keras_ssl/views/base.py",
        "self.uniform(images, seed, 1)[:, 0] < self.probability",
        "self.uniform(images, seed, 1)[:, 0] > self.probability",
        "tests/views/ops/test_flip.py",
    ),
    Mutant(
        "crop-aspect-ratios-are-uniform",
        "keras_ssl/views/ops/crop.py",
        "ops.exp(interpolate(low, high, draws[:, ATTEMPTS:-2]))",
        "interpolate(*self.ratio, draws[:, ATTEMPTS:-2])",
        "tests/views/ops/test_crop.py -k distribution",
    ),
    Mutant(
        "color-jitter-has-a-fixed-order",
        "keras_ssl/views/ops/color_jitter.py",
        "ops.argsort(draws[:, :count])",
        "ops.argsort(0.0 * draws[:, :count])",
        "tests/views/ops/test_color_jitter.py -k order",
    ),
    Mutant(
        "blur-kernel-is-not-normalized",
        "keras_ssl/views/ops/blur.py",
        "return kernel / ops.sum(kernel, axis=-1, keepdims=True)",
        "return kernel",
        "tests/views/ops/test_blur.py",
    ),
    Mutant(
        "rand-augment-draws-one-sign",
        "keras_ssl/views/randaugment/rand_augment.py",
        "ops.where(sign < 0.5, -level, level)",
        "ops.where(sign < 0.5, level, level)",
        "tests/views/randaugment/test_rand_augment.py -k signs",
    ),
)

MUTANTS = (*LOSSES, *METHODS, *TRAINING, *DATA_AND_EVALUATION)


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of the tests of a fault.

    Attributes:
        is_caught: Bool, whether a test failed.
        outcome: The test that caught the fault, or why none did.
        seconds: Float, the time of the tests.
    """

    is_caught: bool
    outcome: str
    seconds: float


def run_tests(mutant: Mutant, timeout: float) -> Result:
    """Returns the result of the tests in a copy of the project with a fault.

    Tests that exceed the timeout prove nothing: the machine may be busy.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy_project(Path(folder))
        mutant.apply(Path(folder))
        command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-m", ""]
        environment = {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        environment["KERAS_BACKEND"] = mutant.backend
        start = time.monotonic()
        try:
            process = subprocess.run(
                [*command, *shlex.split(mutant.tests)],
                cwd=folder,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return Result(False, "ERROR: the tests took too long", time.monotonic() - start)
    seconds = time.monotonic() - start
    if process.returncode == PASSED:
        return Result(False, "SURVIVED", seconds)
    if process.returncode != FAILED:
        return Result(False, f"ERROR: pytest exited with {process.returncode}", seconds)
    return Result(True, failed_test(process.stdout), seconds)


def copy_project(folder: Path) -> None:
    """Copies the package and its tests to a folder."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)


def failed_test(output: str) -> str:
    """Returns the name of the test that failed, from the output of pytest."""
    match = re.search(r"^(?:FAILED|ERROR) \S*?::(.+?)(?: - |$)", output, re.MULTILINE)
    return f"`{match[1]}`" if match else "a test"


def main(
    only: tuple[str, ...] = (), list: bool = False, jobs: int = 1, timeout: float = 900.0
) -> None:
    """Runs the tests of each fault and prints a table.

    Args:
        only: Names of faults; all if empty.
        list: Print the names of the faults and exit.
        jobs: Number of faults at the same time.
        timeout: Seconds that the tests of a fault may take.
    """
    mutants = [mutant for mutant in MUTANTS if not only or mutant.name in only]
    unknown = set(only) - {mutant.name for mutant in mutants}
    if unknown:
        raise SystemExit(f"`--only` must be names of faults. Received {sorted(unknown)}.")
    if list:
        print("\n".join(mutant.name for mutant in mutants))
        return
    print("| fault | file | caught by | s |")
    print("| --- | --- | --- | --- |")
    survivors = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
        results = executor.map(lambda mutant: run_tests(mutant, timeout), mutants)
        for mutant, result in zip(mutants, results, strict=True):
            file = mutant.file.removeprefix("keras_ssl/")
            print(
                f"| {mutant.name.replace('-', ' ')} | `{file}` | {result.outcome} | "
                f"{result.seconds:.0f} |",
                flush=True,
            )
            survivors += [] if result.is_caught else [mutant.name]
    print(f"\n{len(mutants) - len(survivors)} of {len(mutants)} faults are caught.")
    if survivors:
        print(f"Not caught: {', '.join(survivors)}.")
    if len(survivors) > MAX_SURVIVORS:
        raise SystemExit(1)


if __name__ == "__main__":
    tyro.cli(main)

"""What a step is on every backend: its loss, its state, its logs, and how a batch is cut."""

from keras import ops

from keras_ssl import distribute


class SharedStep:
    """The part of the step of a method that no backend has to itself."""

    microbatches = 1  # in how many of them a batch passes a network; see `compile`

    def _microbatch(self, rows, index):
        """A piece of a batch: every n-th row, so that each device has its share of each piece."""
        # Not by a stride: XLA takes none whose beginning it does not know.
        rows = ops.reshape(rows, (-1, self.microbatches, *ops.shape(rows)[1:]))
        return ops.take(rows, index, axis=1)

    def _reject_activity_losses(self, network, losses):
        """Raises if a network's losses are more than those of its weights."""
        if len(losses) > sum(x.regularizer is not None for x in network.trainable_variables):
            raise ValueError(
                f"`microbatches` is {self.microbatches}, and a layer of {network.name} adds a loss of what it "
                "sees (`add_loss`, `activity_regularizer`), which is of whole batches: leave one "
                "of them out."
            )

    def _join_microbatches(self, pieces):
        """Rows in order again, of pieces `(n, B / n, D)`."""
        return ops.reshape(ops.swapaxes(pieces, 0, 1), (-1, *pieces.shape[2:]))

    def _add_regularization(self, losses):
        """Adds the regularizers of the layers to the method's loss, minimized and logged."""
        own = losses["loss"]
        return {**losses, "loss": own + sum(ops.cast(x, own.dtype) for x in self.losses)}

    def _poison_loss_if_nonfinite(self, losses, gradients):
        """Makes the loss NaN where a gradient is not finite: a ReLU may keep that from the loss.

        Gradients scaled for float16 may overflow; their optimizer leaves such steps out itself.
        """
        if self.optimizer is not self._inner_optimizer:
            return losses
        loss = ops.where(_are_finite(gradients), losses["loss"], float("nan"))
        return {**losses, "loss": loss}

    def _sync_overflow(self, gradients):
        """Lets all replicas leave out a step where the gradient of one overflowed in float16.

        Keras asks the first replica alone, as if gradients had been summed by then: NaN of another
        would go into the weights (LossScaleOptimizer of Keras 3.15).
        """
        if distribute.num_replicas() == 1 or self.optimizer is self._inner_optimizer:
            return gradients
        each = distribute.all_gather(ops.cast(_are_finite(gradients), "float32")[None])
        spoil = ops.where(ops.min(each) > 0, 0.0, float("nan"))
        is_dense = [x is not None and not hasattr(x, "values") for x in gradients]
        return [
            x + ops.cast(spoil, x.dtype) if dense else x
            for x, dense in zip(gradients, is_dense, strict=True)
        ]

    def _after_step(self):
        """Calls `on_step_end` once per optimizer step, also under gradient accumulation.

        Schedules are read there at the step that has been made; then the next one begins.
        """
        every = self.gradient_accumulation_steps
        if not every:
            self.on_step_end()
        else:
            variables = self.trainable_variables + self.non_trainable_variables
            before = [ops.copy(variable.value) for variable in variables]
            self.on_step_end()
            moved = ops.equal(self._inner_optimizer._iterations % every, 0)
            for variable, old in zip(variables, before, strict=True):
                variable.assign(ops.where(moved, variable.value, old))
        # A copy: JAX does not take back one buffer under two names.
        self.step.assign(ops.copy(ops.cast(self.optimizer.iterations, "int32")))

    def _mask_frozen_gradients(self, gradients):
        """Takes the gradients off layers that a method holds still in its first steps."""
        for layer, first in self.freeze_schedule():
            held = {id(variable) for variable in layer.trainable_variables}
            moves = self.step >= first
            gradients = [
                ops.where(moves, gradient, ops.zeros_like(gradient))
                if id(variable) in held
                else gradient
                for variable, gradient in zip(self.trainable_variables, gradients, strict=True)
            ]
        return gradients

    def _log(self, losses, batch):
        """Updates what `fit` shows: means over the images of an epoch, and compiled metrics.

        `losses` may hold a pair of a value and what it weighs in the mean, and under `"outputs"`
        what the compiled metrics compare with the labels of the batch.
        """
        losses = dict(losses)
        outputs = losses.pop("outputs", None)
        logs = {}
        for name, value in losses.items():
            value, weight = value if isinstance(value, tuple) else (value, batch.size)
            tracker = self._loss_tracker if name == "loss" else self._trackers_by_term.get(name)
            if tracker is not None:
                tracker.update_state(value, sample_weight=weight)
                value = tracker.result()
            logs[name] = value
        if outputs is not None and self._compile_metrics is not None:
            self._compile_metrics.update_state(batch.labels, outputs)
            logs |= self._compile_metrics.result()
        return logs


def _are_finite(gradients):
    """Whether all of them are: a bool scalar. None and sparse ones may be among them."""
    given = [getattr(x, "values", x) for x in gradients if x is not None]
    return ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in given])) if given else True

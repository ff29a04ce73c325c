"""The backend-independent part of a training step."""

import keras
from keras import ops

from keras_ssl import _internals, distribute


class Step:
    """Trains and evaluates a method on one batch; one subclass per backend.

    A subclass provides `train` and `test`, which Keras's trainer calls with its own arguments,
    `loss_names`, `forward_in_microbatches` and `run_if`.

    Args:
        model: The `Method` to train.
    """

    def __init__(self, model):
        self.model = model

    def take_microbatch(self, rows, index):
        """Returns microbatch `index`: every n-th row, so that each device keeps its share."""
        # XLA rejects a strided slice with a dynamic start, so reshape and take.
        rows = ops.reshape(rows, (-1, self.model.microbatches, *ops.shape(rows)[1:]))
        return ops.take(rows, index, axis=1)

    def join_microbatches(self, rows):
        """Returns `(B, D)` rows in the order of the batch from microbatches `(n, B / n, D)`."""
        return ops.reshape(ops.swapaxes(rows, 0, 1), (-1, *rows.shape[2:]))

    def reject_activity_losses(self, network, losses):
        """Raises ValueError if a network adds losses other than weight regularization."""
        if len(losses) > sum(x.regularizer is not None for x in network.trainable_variables):
            raise ValueError(
                f"`microbatches={self.model.microbatches}` does not support layers that add a "
                f"loss of the whole batch (`add_loss`, `activity_regularizer`), and "
                f"{network.name!r} has one. Remove the loss or use `microbatches=1`."
            )

    def add_regularization(self, losses):
        """Adds the regularization losses of the layers to the loss."""
        loss = losses["loss"]
        return {**losses, "loss": loss + sum(ops.cast(x, loss.dtype) for x in self.model.losses)}

    def poison_loss_if_nonfinite(self, losses, gradients):
        """Makes the loss NaN if a gradient is not finite: a ReLU may hide that from the loss.

        Under loss scaling the optimizer skips such steps itself.
        """
        if _has_loss_scaling(self.model.optimizer):
            return losses
        loss = ops.where(are_finite(gradients), losses["loss"], float("nan"))
        return {**losses, "loss": loss}

    def sync_overflow(self, gradients):
        """Makes all replicas skip a step if the float16 gradient of any of them overflowed.

        Keras checks the gradients of the first replica only (LossScaleOptimizer of Keras 3.15),
        so NaN of another replica would reach the weights.
        """
        if distribute.num_replicas() == 1 or not _has_loss_scaling(self.model.optimizer):
            return gradients
        finite = distribute.all_gather(ops.cast(are_finite(gradients), "float32")[None])
        poison = ops.where(ops.min(finite) > 0, 0.0, float("nan"))
        is_dense = [x is not None and not hasattr(x, "values") for x in gradients]
        return [
            x + ops.cast(poison, x.dtype) if dense else x
            for x, dense in zip(gradients, is_dense, strict=True)
        ]

    def mask_frozen_gradients(self, gradients):
        """Sets the gradients of layers in the model's `freeze_schedule` to zero."""
        model = self.model
        for layer, first_step in model.freeze_schedule():
            frozen = {id(variable) for variable in layer.trainable_variables}
            is_trainable = model.step >= first_step
            gradients = [
                ops.where(is_trainable, gradient, ops.zeros_like(gradient))
                if id(variable) in frozen
                else gradient
                for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
            ]
        return gradients

    def end(self):
        """Calls `on_step_end`, once per optimizer step also under gradient accumulation.

        Schedules are read there at the step that was made; then the next step begins.
        """
        model = self.model
        accumulation_steps = model.gradient_accumulation_steps
        if accumulation_steps:
            batches = _internals.micro_iterations(model.optimizer)
            self.run_if(ops.equal(batches % accumulation_steps, 0), model.on_step_end)
        else:
            model.on_step_end()
        # A copy, because JAX does not accept one buffer under two names.
        model.step.assign(ops.copy(ops.cast(model.optimizer.iterations, "int32")))

    def log(self, losses, batch):
        """Updates the metrics and returns the logs: means over the images of an epoch.

        A value of `losses` may be a pair of a value and its weight in the mean. `"outputs"` is
        passed to the compiled metrics together with the labels of the batch.
        """
        model = self.model
        losses = dict(losses)
        outputs = losses.pop("outputs", None)
        logs = {}
        for name, value in losses.items():
            value, weight = value if isinstance(value, tuple) else (value, batch.size)
            tracker = model.tracker(name)
            if tracker is not None:
                tracker.update_state(value, sample_weight=weight)
                value = tracker.result()
            logs[name] = value
        metrics = _internals.compile_metrics(model)
        if outputs is not None and metrics is not None:
            metrics.update_state(batch.labels, outputs)
            logs |= metrics.result()
        return logs


def _has_loss_scaling(optimizer):
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def are_finite(gradients):
    """Returns whether all gradients are finite, a bool scalar. Some may be None or sparse."""
    dense = [getattr(x, "values", x) for x in gradients if x is not None]
    return ops.all(ops.stack([ops.all(ops.isfinite(x)) for x in dense])) if dense else True

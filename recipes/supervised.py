"""The labels alone, the baseline of the semi-supervised recipes.

    python recipes/supervised.py                        # bundled digits, 4 labels per class

The network, the optimizer, the number of steps, the weak views and the EMA weights are those of
the other recipes, but unlabeled images are not used. Results on digits: RESULTS.md. This file
also shows how to write a method.
"""

import dataclasses
from pathlib import Path

import keras
from keras import ops

import keras_ssl
from keras_ssl.recipes import semi_supervised


@keras.saving.register_keras_serializable("recipes")
class Supervised(keras_ssl.SemiSupervisedModel):
    """Supervised training on the labeled images."""

    forward_views = ()

    def compute_unlabeled(self, logits, batch):
        """Returns a loss of 0 and an empty mask."""
        zeros = ops.zeros_like(ops.cast(batch.index, logits.labeled.dtype))
        return {"unsupervised_loss": 0.0, "mask": zeros, "threshold": 1.0, "pseudo_labels": zeros}


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of supervised training."""

    output: Path = Path("runs/supervised")


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    classifier = semi_supervised.classifier(config, image_shape, num_classes)
    model = Supervised(classifier, ema_momentum=config.ema_momentum, seed=config.seed)
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    return model, semi_supervised.views(config, image_shape)


if __name__ == "__main__":
    semi_supervised.main(Config, build)

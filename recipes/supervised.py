"""The labels alone: what the recipes with few labels are compared with.

python recipes/supervised.py                                 # digits, bundled, 4 labels per class

The same network, optimizer, number of steps, weak views of the labeled images and averaged
weights; unlabeled images have no part in it. RESULTS.md has figures on digits. Also an example
of a method of one's own.
"""

from pathlib import Path

import keras
import tyro
from keras import ops

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


@keras.saving.register_keras_serializable("recipes")
class Supervised(keras_ssl.SemiSupervisedModel):
    """Passes labeled images alone."""

    forward_views = ()

    def compute_unlabeled(self, logits, batch):
        """Nothing: no unlabeled image counts."""
        none = ops.zeros_like(ops.cast(batch.index, logits.labeled.dtype))
        return {"unsupervised_loss": 0.0, "mask": none, "threshold": 1.0, "pseudo_labels": none}


def main(run: FewLabelRun = FewLabelRun(Path("runs/supervised"))) -> None:
    """Trains on the labeled images alone, tells how right it is, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        classifier = semi_supervised.new_classifier(run, task)
        return Supervised(classifier, ema_momentum=run.ema_momentum, seed=run.seed)

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

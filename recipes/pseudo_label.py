"""Pseudo-Label: Lee 2013, ICML workshop on challenges in representation learning.

python recipes/pseudo_label.py                               # digits, bundled, 4 labels per class
python recipes/pseudo_label.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 \
    --epochs 9450 --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 \
    --output runs/pseudo_label_cifar10

RESULTS.md has figures on digits. The second has the settings of later comparisons, 2^20 steps,
and takes weeks on a CPU.
"""

from pathlib import Path

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    threshold: float = 0.95,
    warmup: float = 0.4,
    run: FewLabelRun = FewLabelRun(Path("runs/pseudo_label")),
) -> None:
    """Trains Pseudo-Label, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        threshold: The probability from which a pseudo-label counts.
        warmup: How long the weight of the unlabeled images rises, a fraction of the run.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.PseudoLabel(
            semi_supervised.new_classifier(run, task),
            threshold=threshold,
            warmup=warmup,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

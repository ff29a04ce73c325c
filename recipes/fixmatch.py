"""FixMatch: Sohn et al. 2020, https://arxiv.org/abs/2001.07685.

python recipes/fixmatch.py                                   # digits, bundled, 4 labels per class
python recipes/fixmatch.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 --epochs 9450 \
    --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --output runs/fixmatch_cifar10

RESULTS.md has figures on digits. The second has the paper's settings, 2^20 steps, and takes weeks
on a CPU; published with it: 94.93 % with 25 labels per class.
"""

from pathlib import Path

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(threshold: float = 0.95, run: FewLabelRun = FewLabelRun(Path("runs/fixmatch"))) -> None:
    """Trains FixMatch, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        threshold: The probability from which a pseudo-label counts.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.FixMatch(
            semi_supervised.new_classifier(run, task),
            threshold=threshold,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

"""FreeMatch: Wang et al. 2022, https://arxiv.org/abs/2205.07246.

python recipes/freematch.py                                  # digits, bundled, 4 labels per class
python recipes/freematch.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 --epochs 9450 \
    --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --threshold-momentum 0.999 \
    --output runs/freematch_cifar10

RESULTS.md has figures on digits. The second has the settings of the paper, 2^20 steps, and takes
weeks on a CPU.
"""

from pathlib import Path

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    threshold_momentum: float = 0.99,
    fairness_weight: float = 0.001,
    run: FewLabelRun = FewLabelRun(Path("runs/freematch")),
) -> None:
    """Trains FreeMatch, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        threshold_momentum: How much of the running means stays at each step; 0.999 in the paper,
            whose runs are a thousand times as long.
        fairness_weight: Of the fairness term.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.FreeMatch(
            semi_supervised.new_classifier(run, task),
            threshold_momentum=threshold_momentum,
            fairness_weight=fairness_weight,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

"""SoftMatch: Chen et al. 2023, https://arxiv.org/abs/2301.10921.

python recipes/softmatch.py                                  # digits, bundled, 4 labels per class
python recipes/softmatch.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 --epochs 9450 \
    --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --weight-momentum 0.999 \
    --output runs/softmatch_cifar10

RESULTS.md has figures on digits. The second has the settings of the paper, 2^20 steps, and takes
weeks on a CPU.
"""

from pathlib import Path

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    n_sigma: float = 2.0,
    weight_momentum: float = 0.99,
    run: FewLabelRun = FewLabelRun(Path("runs/softmatch")),
) -> None:
    """Trains SoftMatch, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        n_sigma: How narrow the weights fall below the mean confidence.
        weight_momentum: How much of the running means stays at each step; 0.999 in the paper, whose
            runs are a thousand times as long.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.SoftMatch(
            semi_supervised.new_classifier(run, task),
            n_sigma=n_sigma,
            weight_momentum=weight_momentum,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

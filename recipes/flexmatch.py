"""FlexMatch: Zhang et al. 2021, https://arxiv.org/abs/2110.08263.

python recipes/flexmatch.py                                  # digits, bundled, 4 labels per class
python recipes/flexmatch.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 --epochs 9450 \
    --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --output runs/flexmatch_cifar10

RESULTS.md has figures on digits. The second has the settings of the paper, 2^20 steps, and takes
weeks on a CPU.
"""

from pathlib import Path

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    threshold: float = 0.95,
    run: FewLabelRun = FewLabelRun(Path("runs/flexmatch")),
) -> None:
    """Trains FlexMatch, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        threshold: The highest threshold, and the probability from which an image is taken for a
            class.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.FlexMatch(
            semi_supervised.new_classifier(run, task),
            threshold=threshold,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

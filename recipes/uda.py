"""UDA: Xie et al. 2019, https://arxiv.org/abs/1904.12848.

python recipes/uda.py                                        # digits, bundled, 4 labels per class
python recipes/uda.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 --epochs 9450 \
    --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --output runs/uda_cifar10

RESULTS.md has figures on digits. The second has the settings of the paper, 2^20 steps, and takes
weeks on a CPU.
"""

from pathlib import Path
from typing import Literal

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    temperature: float = 0.4,
    threshold: float = 0.8,
    signal_annealing: Literal["none", "linear", "log", "exp"] = "none",
    run: FewLabelRun = FewLabelRun(Path("runs/uda")),
) -> None:
    """Trains UDA, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        temperature: Of the targets.
        threshold: The probability from which a prediction counts.
        signal_annealing: How labeled images that are known too well come back.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.UDA(
            semi_supervised.new_classifier(run, task),
            temperature=temperature,
            threshold=threshold,
            signal_annealing=signal_annealing,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

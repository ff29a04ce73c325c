"""Dash: Xu et al. 2021, http://proceedings.mlr.press/v139/xu21e.html.

python recipes/dash.py                                       # digits, bundled, 4 labels per class
python recipes/dash.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 --epochs 9450 \
    --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --warmup 0.00977 \
    --decay-interval 0.00879 --output runs/dash_cifar10

RESULTS.md has figures on digits. The second has the settings of the authors' code, 2^20 steps,
and takes weeks on a CPU.
"""

from pathlib import Path
from typing import Literal

import tyro

import keras_ssl
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    initial_threshold: Literal["unlabeled", "labeled"] = "unlabeled",
    warmup: float = 0.1,
    decay_interval: float = 0.05,
    decay: float = 1.27,
    min_threshold: float = 0.05,
    temperature: float = 0.5,
    run: FewLabelRun = FewLabelRun(Path("runs/dash")),
) -> None:
    """Trains Dash, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        initial_threshold: Whose mean loss, at the end of the warm-up, it is.
        warmup: How long all images count, a fraction of the run; 10 / 1024 in the authors' code,
            which in a run of hundreds of steps is over before anything is learned.
        decay_interval: After which fraction of the run the threshold falls once more; 9 / 1024
            there.
        decay: By what it is then divided.
        min_threshold: The lowest threshold, from which on targets are hard.
        temperature: Of the soft targets before.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.Dash(
            semi_supervised.new_classifier(run, task),
            initial_threshold=initial_threshold,
            warmup=warmup,
            decay_interval=decay_interval,
            decay=decay,
            min_threshold=min_threshold,
            temperature=temperature,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    semi_supervised.train(run, settings, task, new_model)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

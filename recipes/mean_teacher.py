"""Mean teacher: Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780.

python recipes/mean_teacher.py                               # digits, bundled, 4 labels per class
python recipes/mean_teacher.py --dataset cifar10 --encoder wide_resnet --labels-per-class 25 \
    --epochs 9450 --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 \
    --output runs/mean_teacher_cifar10

RESULTS.md has figures on digits. The second has the settings of later comparisons, 2^20 steps,
and takes weeks on a CPU.
"""

from pathlib import Path

import tyro

import keras_ssl
from keras_ssl import views
from keras_ssl.recipes import semi_supervised
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    unlabeled_weight: float = 50.0,
    warmup: float = 0.4,
    run: FewLabelRun = FewLabelRun(Path("runs/mean_teacher")),
) -> None:
    """Trains a mean teacher, tells how right it is on test images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        unlabeled_weight: Of the squared differences, once it has risen.
        warmup: How long it rises, a fraction of the run.
        run: Options that all recipes with few labels share.
    """
    settings = dict(locals())
    task = semi_supervised.start(run, settings)

    def new_model():
        return keras_ssl.MeanTeacher(
            semi_supervised.new_classifier(run, task),
            unlabeled_weight=unlabeled_weight,
            warmup=warmup,
            ema_momentum=run.ema_momentum,
            seed=run.seed,
        )

    weak = views.fixmatch_weak(task.shape[:2], flip=run.flip)  # student and teacher draw their own
    semi_supervised.train(run, settings, task, new_model, weak=weak, strong=weak)


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

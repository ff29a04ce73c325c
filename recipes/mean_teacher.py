"""Mean teacher (Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780).

    python recipes/mean_teacher.py                      # bundled digits, 4 labels per class
    python recipes/mean_teacher.py --dataset cifar10 --encoder wide_resnet \
        --labels-per-class 25 --epochs 9450 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --output runs/mean_teacher_cifar10

Results on digits: RESULTS.md. The second command has the settings of later comparisons, 2^20
steps, which takes weeks on a CPU.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of the mean teacher.

    Args:
        unlabeled_weight: Weight of the consistency loss after the warmup.
        warmup: Fraction of the run over which this weight rises.
    """

    output: Path = Path("runs/mean_teacher")
    unlabeled_weight: float = 50.0
    warmup: float = 0.4


def build(config, image_shape, num_classes, total_steps):
    """Returns the compiled model and its weak and strong views."""
    model = keras_ssl.MeanTeacher(
        semi_supervised.classifier(config, image_shape, num_classes),
        unlabeled_weight=config.unlabeled_weight,
        warmup=config.warmup,
        ema_momentum=config.ema_momentum,
        seed=config.seed,
    )
    model.compile(semi_supervised.sgd(config, total_steps), metrics=["accuracy"])
    weak, _ = semi_supervised.views(config, image_shape)  # student and teacher draw separately
    return model, (weak, weak)


if __name__ == "__main__":
    semi_supervised.main(Config, build)

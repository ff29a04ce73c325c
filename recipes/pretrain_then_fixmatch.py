"""Self-supervised pretraining on all images, then semi-supervised fine-tuning on few labels.

    python recipes/pretrain_then_fixmatch.py            # bundled digits, 1 label per class
    python recipes/pretrain_then_fixmatch.py --dataset cifar10 --labels-per-class 4 \
        --pretrain-epochs 200 --epochs 200 --batch-size 64 --unlabeled-ratio 7 \
        --ema-momentum 0.999 --output runs/both_cifar10

Trains SimCLR (Chen et al. 2020, https://arxiv.org/abs/2002.05709) on all training images, then
FixMatch (Sohn et al. 2020, https://arxiv.org/abs/2001.07685) from its encoder. For comparison, it
also trains FixMatch from scratch and on the labels alone, with the same number of steps. Results
on digits: RESULTS.md.
"""

import dataclasses
import json
from pathlib import Path

import fixmatch
import simclr
import supervised
import tyro

from keras_ssl.recipes import base, pretraining, semi_supervised


@dataclasses.dataclass(frozen=True)
class Config(semi_supervised.Config):
    """Options of SimCLR and FixMatch.

    Args:
        pretrain_epochs: Number of passes of SimCLR over the images.
        pretrain_batch_size: Number of images in a step of SimCLR.
        pretrain_learning_rate: Learning rate of SimCLR.
        temperature: Temperature of SimCLR.
        threshold: Confidence threshold of FixMatch.
    """

    output: Path = Path("runs/pretrain_then_fixmatch")
    labels_per_class: int = 1
    pretrain_epochs: int = 200
    pretrain_batch_size: int = 256
    pretrain_learning_rate: float = 0.12
    temperature: float = 0.5
    threshold: float = 0.95


def run(config):
    """Trains all four models, each in its own directory, and prints the test accuracies."""
    output = config.output
    pretraining_config = simclr.Config(
        **config.options_of(base.Config)
        | {
            "output": output / "simclr",
            "epochs": config.pretrain_epochs,
            "batch_size": config.pretrain_batch_size,
            "learning_rate": config.pretrain_learning_rate,
            "temperature": config.temperature,
        }
    )
    pretraining.run(pretraining_config, simclr.build)

    options = config.options_of(semi_supervised.Config)
    supervised_config = supervised.Config(**options | {"output": output / "supervised"})
    semi_supervised.run(supervised_config, supervised.build)

    fixmatch_config = fixmatch.Config(
        **options | {"output": output / "fixmatch", "threshold": config.threshold}
    )
    semi_supervised.run(fixmatch_config, fixmatch.build)

    pretrained_config = dataclasses.replace(
        fixmatch_config,
        output=output / "pretrained_fixmatch",
        pretrained=output / "simclr" / "model.keras",
    )
    semi_supervised.run(pretrained_config, fixmatch.build)

    print(f"\nTest accuracy with {config.labels_per_class} labels per class:")
    for name in ("supervised", "fixmatch", "pretrained_fixmatch"):
        results = json.loads((output / name / "results.json").read_text())
        print(f"    {name.replace('_', ' '):<20} {100 * results['accuracy']:5.1f} %")


if __name__ == "__main__":
    run(tyro.cli(Config, description=__doc__))

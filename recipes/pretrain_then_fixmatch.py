"""Both families in one: learn from all images without labels, then from few labels.

python recipes/pretrain_then_fixmatch.py                     # digits, bundled, 1 label per class
python recipes/pretrain_then_fixmatch.py --dataset cifar10 --labels-per-class 4 --pretrain-epochs 200 \
    --epochs 200 --batch-size 64 --unlabeled-ratio 7 --ema-momentum 0.999 --output runs/both_cifar10

SimCLR (Chen et al. 2020, https://arxiv.org/abs/2002.05709) on all training images, then FixMatch
(Sohn et al. 2020, https://arxiv.org/abs/2001.07685) from its encoder; beside it FixMatch from
scratch, and the labels alone, with the same number of steps. RESULTS.md has figures on digits.
"""

import dataclasses
import json
from pathlib import Path

import fixmatch
import simclr
import supervised
import tyro

from keras_ssl.recipes import pretraining
from keras_ssl.recipes.semi_supervised import FewLabelRun


def main(
    pretrain_epochs: int = 200,
    pretrain_batch_size: int = 256,
    pretrain_learning_rate: float = 0.12,
    temperature: float = 0.5,
    threshold: float = 0.95,
    run: FewLabelRun = FewLabelRun(Path("runs/pretrain_then_fixmatch"), labels_per_class=1),
) -> None:
    """Trains all four, tells how right the classifiers are, and keeps each in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        pretrain_epochs: Passes of SimCLR over the images.
        pretrain_batch_size: Images in a step of SimCLR.
        pretrain_learning_rate: Of SimCLR.
        temperature: Of SimCLR.
        threshold: Of FixMatch.
        run: Options that all recipes with few labels share.
    """
    shared = {field.name: getattr(run, field.name) for field in dataclasses.fields(pretraining.Run)}
    simclr.main(
        epochs=pretrain_epochs,
        batch_size=pretrain_batch_size,
        learning_rate=pretrain_learning_rate,
        temperature=temperature,
        run=pretraining.Run(**{**shared, "output": run.output / "simclr"}),
    )

    def within(name, **changes):
        return dataclasses.replace(run, output=run.output / name, **changes)

    supervised.main(run=within("supervised"))
    fixmatch.main(threshold=threshold, run=within("fixmatch"))
    pretrained = run.output / "simclr" / "model.keras"
    fixmatch.main(threshold=threshold, run=within("pretrained_fixmatch", pretrained=pretrained))

    print(f"\n{run.labels_per_class} labels of each class, accuracy on test images:")
    for name in ("supervised", "fixmatch", "pretrained_fixmatch"):
        results = json.loads((run.output / name / "results.json").read_text())
        print(f"    {name.replace('_', ' '):<20} {100 * results['accuracy']:5.1f} %")


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

"""Pixel difference between `FastColorJitter` and `ColorJitter`, in levels of 255.

python benchmarks/fast_colors.py --dataset cifar10 --data-dir DIR
"""

from pathlib import Path

import numpy as np
import tyro

from keras_ssl import data, evaluation
from keras_ssl.views import ColorJitter, FastColorJitter


def main(
    dataset: str = "cifar10", data_dir: Path | None = None, images: int = 512, draws: int = 40
) -> None:
    """Measures the mean difference at SimCLR's strengths 0.5 and 1.

    Args:
        dataset: Name of a dataset of color images, or a folder, as in the recipes.
        data_dir: Folder of the dataset, as in the recipes.
        images: Number of test images.
        draws: Number of random amounts of brightness, contrast, saturation and hue.
    """
    pixels, _ = evaluation.read_images(data.load(dataset, "test", data_dir=data_dir), images)
    rng = np.random.default_rng(0)
    for strength in (0.5, 1.0):
        distances, changes = [], []
        for index in range(draws):
            factors = rng.uniform(1 - 0.8 * strength, 1 + 0.8 * strength, 3).tolist()
            turn = float(rng.uniform(-0.2 * strength, 0.2 * strength))
            amounts = [(value, value) for value in (*factors, turn)]
            slow, fast = (
                np.asarray(kind(*amounts)(pixels, (1, index)))
                for kind in (ColorJitter, FastColorJitter)
            )
            distances.append(255 * np.abs(slow - fast).mean())
            changes.append(np.abs(255 * slow - pixels).mean())
        print(
            f"strength {strength}: mean difference {np.mean(distances):.1f} levels, mean change of "
            f"the images {np.mean(changes):.1f}"
        )


if __name__ == "__main__":
    tyro.cli(main)

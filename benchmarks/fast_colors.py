"""How far the pixels of `FastColorJitter` are from those of `ColorJitter`, in levels of 255.

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
    """Measures at SimCLR's strengths 0.5 and 1 and prints means.

    Args:
        dataset: As in the recipes, of color images.
        data_dir: As in the recipes.
        images: Test images.
        draws: Factors of brightness, contrast, saturation and hue, the same for both.
    """
    pixels, _ = evaluation.read_images(data.load(dataset, "test", data_dir=data_dir), images)
    draw = np.random.default_rng(0)
    for strength in (0.5, 1.0):
        apart, change = [], []
        for index in range(draws):
            factors = draw.uniform(1 - 0.8 * strength, 1 + 0.8 * strength, 3).tolist()
            turn = float(draw.uniform(-0.2 * strength, 0.2 * strength))
            same = [(value, value) for value in (*factors, turn)]
            slow, fast = (
                np.asarray(kind(*same)(pixels, (1, index)))
                for kind in (ColorJitter, FastColorJitter)
            )
            apart.append(255 * np.abs(slow - fast).mean())
            change.append(np.abs(255 * slow - pixels).mean())
        print(
            f"strength {strength}: {np.mean(apart):.1f} levels apart on average, where the images "
            f"change by {np.mean(change):.1f}"
        )


if __name__ == "__main__":
    tyro.cli(main)

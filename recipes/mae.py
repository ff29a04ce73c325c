"""MAE (He et al. 2021, https://arxiv.org/abs/2111.06377).

    python recipes/mae.py                                   # bundled digits
    python recipes/mae.py --dataset cifar10 --encoder vit_tiny --epochs 100 \
        --output runs/mae_cifar10

Results of small encoders on Fashion-MNIST and CIFAR-10: RESULTS.md. The encoder is a vision
transformer, a small one unless `--encoder` names one of them.
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of MAE.

    Args:
        learning_rate: Peak learning rate at a batch size of 256, after a tenth of the run. It
            scales with the batch size.
        mask_ratio: Share of masked patches.
    """

    output: Path = Path("runs/mae")
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    mask_ratio: float = 0.75


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    patch_size = pretraining.patch_size(config, image_shape)
    views = keras_ssl.views.mae(image_shape[:2], patch_size, config.mask_ratio, flip=config.flip)
    model = keras_ssl.MAE(
        pretraining.vit(config, image_shape, pooling="mean"),
        mask_ratio=config.mask_ratio,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.adamw(config, total_steps, warmup=True, beta_2=0.95))
    return model, views


def plot_reconstructions(config, model, views, test):
    """Plots images, their visible patches and their reconstructions."""
    images, _ = keras_ssl.evaluation.read_images(test, 8)
    images = images.astype("float32") / 255
    masks = views[1](images, (config.seed, 0))
    visible, reconstructed = model.reconstruct(images, masks)
    columns = [("image", images), ("visible", visible), ("reconstructed", reconstructed)]
    keras_ssl.evaluation.plots.plot_images(columns, config.output / "reconstructions.png")


if __name__ == "__main__":
    pretraining.main(Config, build, report=plot_reconstructions)

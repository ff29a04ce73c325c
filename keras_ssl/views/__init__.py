"""Random views of images: batched, stateless, and different for each image.

TensorFlow is imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["View"],
        "compose": ["Compose"],
        "ops.blur": ["GaussianBlur"],
        "ops.color_jitter": ["ColorJitter"],
        "ops.crop": ["RandomResizedCrop"],
        "ops.cutout": ["Cutout"],
        "ops.fast_color_jitter": ["FastColorJitter"],
        "ops.flip": ["RandomFlip"],
        "ops.grayscale": ["RandomGrayscale"],
        "ops.keras_layer": ["KerasLayer"],
        "ops.masks": ["BlockMask", "RandomMask"],
        "ops.shift": ["RandomShift"],
        "ops.solarize": ["Solarize"],
        "presets.clip": ["clip"],
        "presets.dinov2": ["dinov2"],
        "presets.emp_ssl": ["emp_ssl"],
        "presets.fast_colors": ["fast_colors"],
        "presets.fixmatch": ["fixmatch_strong", "fixmatch_weak"],
        "presets.mae": ["mae"],
        "presets.multi_crop": ["multi_crop", "dino", "swav"],
        "presets.two_views": ["barlow_twins", "byol", "simclr", "simsiam", "vicreg"],
        "randaugment.operations": ["apply_randaugment"],
        "randaugment.rand_augment": ["RandAugment"],
    },
)

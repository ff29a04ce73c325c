"""Random views of images: batched, stateless, each image drawn alone. TensorFlow when used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "augment": ["augment"],
        "base": ["View"],
        "blur": ["GaussianBlur"],
        "clip": ["clip"],
        "compose": ["Compose"],
        "crop": ["RandomResizedCrop"],
        "cutout": ["Cutout"],
        "fast": ["FastColorJitter", "fast"],
        "fixmatch": ["fixmatch_strong", "fixmatch_weak"],
        "flip": ["RandomFlip"],
        "grayscale": ["RandomGrayscale"],
        "jitter": ["ColorJitter"],
        "keras_layer": ["KerasLayer"],
        "mae": ["mae"],
        "masks": ["BlockMask", "RandomMask", "dinov2"],
        "multi_crop": ["MultiCrop", "dino", "swav"],
        "rand_augment": ["RandAugment"],
        "ready": ["barlow_twins", "byol", "emp_ssl", "simclr", "simsiam", "vicreg"],
        "shift": ["RandomShift"],
        "solarize": ["Solarize"],
    },
)

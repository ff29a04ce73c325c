"""Random views of images: batched, stateless, each image drawn alone. TensorFlow when used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["View"],
        "blur": ["GaussianBlur"],
        "compose": ["Compose"],
        "crop": ["RandomResizedCrop"],
        "flip": ["RandomFlip"],
        "grayscale": ["RandomGrayscale"],
        "jitter": ["ColorJitter"],
        "keras_layer": ["KerasLayer"],
        "multi_crop": ["MultiCrop", "dino", "swav"],
        "ready": ["barlow_twins", "byol", "emp_ssl", "simclr", "simsiam", "vicreg"],
        "solarize": ["Solarize"],
    },
)

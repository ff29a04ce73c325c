"""Where images come from and how they reach a model. Imports TensorFlow when first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "class_names": ["class_names"],
        "pipeline": ["set_epoch", "make_views"],
        "semi_supervised": ["semi_supervised"],
        "sources": ["load", "load_train_and_test"],
        "split": ["split_labels"],
    },
)

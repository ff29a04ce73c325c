"""Image datasets and input pipelines. TensorFlow is imported on first use."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "allocator": ["tune_allocator"],
        "class_names": ["class_names"],
        "pipeline": ["set_epoch", "make_views"],
        "semi_supervised": ["semi_supervised"],
        "sources": ["load", "load_train_and_test"],
        "split": ["split_labels"],
    },
)

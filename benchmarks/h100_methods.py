"""Every method and the shapes of the data of its training step, for `h100.py`."""

import jax
import keras

import keras_ssl
from keras_ssl import encoders
from keras_ssl.views import device

SUPERVISED = "supervised"  # a bare classifier on as many images as two views have
VISION_TRANSFORMERS = ("MAE", "DINOv2")
TRANSFORMERS = (*VISION_TRANSFORMERS, "CLIP")
UNLABELED = 7  # unlabeled images for each labeled one, as in FixMatch
CLASSES, TOKENS, WORDS = 10, 32, 1000
# ReCLIP is missing: it reads captions as strings, which needs TensorFlow.
ALL = ("SimCLR", "MoCo", "NNCLR", "BYOL", "SimSiam", "BarlowTwins", "VICReg", "SwAV", "DINO")
ALL += ("DINOv2", "MAE", "EMPSSL", "SupCon", "FixMatch", "FlexMatch", "FreeMatch", "SoftMatch")
ALL += ("AdaMatch", "Dash", "UDA", "PseudoLabel", "MeanTeacher", "CLIP")


def make(name, config):
    """Returns a compiled model with its default arguments, and the shapes of a batch."""
    shape = (config.size, config.size, 3)
    method = getattr(keras_ssl, name, None)
    if name in VISION_TRANSFORMERS:
        encoder = encoders.vit_tiny(shape, config.size // 8)
    elif config.encoder == "resnet18":
        encoder = encoders.resnet18(shape, stem="cifar")
    else:
        encoder = encoders.small_resnet(shape)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    if method is None:
        model = keras.Sequential([encoder, keras.layers.Dense(CLASSES)])
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model, _images_and_labels(2 * config.batch_size, shape)
    if issubclass(method, keras_ssl.models.SemiSupervisedModel):
        return _semi_supervised(method, encoder, optimizer, config.batch_size, shape)
    if method is keras_ssl.CLIP:
        text = encoders.text_transformer(WORDS, TOKENS)
        model = method(encoder, text)
        model.compile(optimizer)
        images, _ = _images_and_labels(config.batch_size, shape)
        return model, ((images,), spec((config.batch_size, TOKENS), "int32"))
    model = method(encoder, **({"together": True} if config.together else {}))
    model.compile(optimizer, views_on=config.views_on)
    images = device.PositionedImages(
        spec((config.batch_size, *shape), "uint8"), spec((config.batch_size, 3), "int32")
    )
    labels = (spec((config.batch_size,), "int32"),) if method is keras_ssl.SupCon else ()
    if config.views_on == "device":
        return model, (images, *labels)
    views = model.default_views(shape[:2])
    return model, (jax.eval_shape(lambda x: device.make_views(x, views, 0), images), *labels)


def _semi_supervised(method, encoder, optimizer, batch_size, shape):
    """Returns a method and its batch of `batch_size` images, labeled and unlabeled."""
    options = {"num_unlabeled": 50_000} if method is keras_ssl.FlexMatch else {}
    model = method(keras_ssl.models.classifier(encoder, CLASSES), **options)
    model.compile(optimizer)
    labeled, labels = _images_and_labels(batch_size // (1 + UNLABELED), shape)
    view, index = _images_and_labels(batch_size - len(labels), shape)
    return model, ({"labeled": labeled, "weak": view, "strong": view, "index": index}, labels)


def _images_and_labels(count, shape):
    return spec((count, *shape), "float32"), spec((count,), "int32")


def spec(shape, dtype, **kwargs):
    """Returns a shape and a dtype, for which JAX compiles."""
    return jax.ShapeDtypeStruct(shape, dtype, **kwargs)

"""Classifiers made from encoders, and encoders taken out of classifiers."""

import keras

from keras_ssl.encoders.interface import check_encoder
from keras_ssl.encoders.keras_hub import with_pooling
from keras_ssl.images import image_shape
from keras_ssl.validation import check_int


def classifier(encoder: keras.Model, num_classes: int) -> keras.Model:
    """Adds a dense layer to an encoder, for example to fine-tune a pre-trained one.

        pretrained = keras_ssl.SimCLR(encoder)
        ...
        model = keras_ssl.FixMatch(keras_ssl.models.classifier(pretrained.encoder, 10))

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`. It is
            used, not copied. Set `encoder.trainable = False` to train the dense layer only.
        num_classes: Int >= 2, K.

    Returns:
        A functional `keras.Model` from images to float32 logits `(B, K)`.

    Raises:
        TypeError: If `encoder` is not a `keras.Model` or `num_classes` is not an int.
        ValueError: If `num_classes` is below 2, if the encoder is not built or returns another
            shape, or if all of its weights are frozen one by one.
    """
    encoder = with_pooling(encoder)
    check_encoder(encoder)
    check_int(2, num_classes=num_classes)
    if encoder.trainable and encoder.weights and not encoder.trainable_weights:
        raise ValueError(
            "`encoder` has no weights to train: they are frozen one by one, like those of an EMA "
            "copy. Make a new encoder and copy them, new.set_weights(encoder.get_weights()), or "
            "set `encoder.trainable = False` to keep them fixed."
        )
    images = keras.Input(image_shape(encoder), name="images")
    logits = keras.layers.Dense(num_classes, dtype=keras.config.floatx(), name="logits")
    return keras.Model(images, logits(encoder(images)), name="classifier")


def extract_encoder(classifier: keras.Model) -> keras.Model:
    """Returns the part of a functional classifier before its last layer.

    Args:
        classifier: Functional or sequential `keras.Model`.

    Returns:
        A functional `keras.Model` from images to features `(B, D)`. Layers are shared.

    Raises:
        ValueError: If the classifier is not functional or sequential, or if the input of its last
            layer is not `(B, D)`.
    """
    features = None
    if hasattr(classifier, "inputs") and classifier.layers:
        features = classifier.layers[-1].input
    if not isinstance(features, keras.KerasTensor) or len(features.shape) != 2:
        raise ValueError(
            f"`classifier` {classifier.name!r} has no last layer that takes features (B, D). Make "
            "it with keras_ssl.models.classifier(encoder, num_classes), or as a functional model "
            "that ends in a dense layer."
        )
    return keras.Model(classifier.inputs[0], features, name="encoder")

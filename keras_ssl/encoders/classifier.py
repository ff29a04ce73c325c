"""From an encoder to a classifier, and back."""

import keras

from keras_ssl.encoders.interface import check_encoder
from keras_ssl.encoders.keras_hub import with_pooling
from keras_ssl.images import image_shape
from keras_ssl.validation import check_int


def classifier(encoder, num_classes):
    """Puts a dense layer on an encoder, also on a pre-trained one, which is trained further.

        pretrained = keras_ssl.SimCLR(encoder)
        ...
        model = keras_ssl.FixMatch(keras_ssl.models.classifier(pretrained.encoder, 10))

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`. It is
            used, not copied. `encoder.trainable = False` keeps it as it is.
        num_classes: Int >= 2, K.

    Returns:
        A functional `keras.Model` from images to float32 logits `(B, K)`.

    Raises:
        TypeError: If `encoder` is no `keras.Model` or `num_classes` no int.
        ValueError: If `num_classes` is below 2, the encoder is not as described, or all its weights
            are frozen one by one.
    """
    encoder = with_pooling(encoder)
    check_encoder(encoder)
    check_int(2, num_classes=num_classes)
    if encoder.trainable and encoder.weights and not encoder.trainable_weights:
        raise ValueError(
            "`encoder` has no weights to train: they are frozen one by one, as those of a momentum "
            "copy are. Make a new encoder and copy them, new.set_weights(encoder.get_weights()), "
            "or set `encoder.trainable = False` to keep them as they are."
        )
    images = keras.Input(image_shape(encoder), name="images")
    logits = keras.layers.Dense(num_classes, dtype=keras.config.floatx(), name="logits")
    return keras.Model(images, logits(encoder(images)), name="classifier")


def encoder_of(classifier):
    """The part of a functional classifier before its last layer: images to features `(B, D)`.

    Raises:
        ValueError: If the classifier is not functional or sequential, or what comes into its last
            layer is not `(B, D)`.
    """
    features = None
    if hasattr(classifier, "inputs") and classifier.layers:
        features = classifier.layers[-1].input
    if not isinstance(features, keras.KerasTensor) or len(features.shape) != 2:
        raise ValueError(
            f"`classifier` {classifier.name!r} has no last layer that takes features (B, D): make "
            "it by keras_ssl.models.classifier(encoder, num_classes), or functional with a dense "
            "layer at the end."
        )
    return keras.Model(classifier.inputs[0], features, name="encoder")

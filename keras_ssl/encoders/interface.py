"""The interface of encoders and classifiers: validation, and the shapes they return."""

import keras

from keras_ssl.images import image_shape


def check_encoder(encoder, name="encoder"):
    """Raises unless an encoder is a built, serializable model from images to `(B, D)`."""
    check_network(encoder, name, "features (B, D)")
    feature_width(encoder, name)


def check_text_encoder(encoder):
    """Raises unless `encoder` is a built, serializable model from words to `(B, E)`. Returns E."""
    name, takes = "text_encoder", "words (B, T)"
    check_network(encoder, name, "features (B, E)", takes, axes=2)
    try:
        shape = encoder.output_shape
    except AttributeError:  # a subclassed model has no symbolic output
        words = keras.KerasTensor((None, context_length(encoder)), "int32")
        shape = encoder.compute_output_spec(words).shape
    return check_feature_shape(shape, name, "")


def context_length(encoder):
    """How many words a text encoder takes; ValueError where it does not tell."""
    length = getattr(encoder, "context_length", None)
    if length is None and hasattr(encoder, "inputs"):
        length = encoder.input_shape[1]
    if length is None:
        raise ValueError(
            f"`text_encoder` {encoder.name!r} must tell how many words it takes: give it an "
            "attribute `context_length`, or an input of known length, keras.Input((32,))."
        )
    return int(length)


def check_network(network, name, output, takes="images (B, H, W, C)", axes=4):
    """Raises unless a network is a built, serializable model of one batch of images, or of text.

    Args:
        network: What was received.
        name: The argument's name.
        output: What the network must return, in words.
        takes: What it must take, in words.
        axes: Int, of what it must take.
    """
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{name}` must be a keras.Model from {takes} to {output}, "
            f"received {type(network).__name__}."
        )
    if hasattr(network, "compute_losses"):
        raise ValueError(
            f"`{name}` is a {type(network).__name__}, a method that trains a network: pass the "
            f"network itself, `model.encoder` or `model.classifier`."
        )
    if not network.built:
        raise ValueError(
            f"`{name}` {network.name!r} is not built: call it once on a batch of {takes}, or "
            f"`{name}.build({'(None, height, width, channels)' if axes == 4 else '(None, words)'})`"
            ", before passing it."
        )
    try:
        network.get_config()
    except NotImplementedError as error:
        raise ValueError(
            f"`{name}` {network.name!r} cannot be saved: give its class a `get_config()` that "
            "returns its constructor's arguments, and decorate it with "
            "@keras.saving.register_keras_serializable()."
        ) from error
    if isinstance(network, keras.Sequential) or hasattr(network, "inputs"):
        received = network.input_shape
        if isinstance(received, (list, dict)) or len(received) != axes:
            raise ValueError(
                f"`{name}` must take one batch of {takes}, and its input has shape {received}."
            )


def check_vision_transformer(encoder):
    """Raises unless `encoder` tells its tokens, as what `encoders.vit` returns."""
    check_encoder(encoder)
    if not hasattr(encoder, "tokens") or not hasattr(encoder, "patch_size"):
        raise TypeError(
            "`encoder` must be a vision transformer, keras_ssl.encoders.vit(input_shape, "
            f"patch_size), whose patches can be masked; received {type(encoder).__name__}."
        )


def output_shape(network):
    """Returns the shape of a network's output; the batch is None."""
    try:
        return network.output_shape
    except AttributeError:  # a subclassed model has no symbolic output
        images = keras.KerasTensor((None, *image_shape(network)), network.compute_dtype)
        return network.compute_output_spec(images).shape


def feature_width(encoder, name="encoder"):
    """Returns D of an encoder's output `(B, D)`; ValueError for any other output."""
    advice = (
        ' End it with a pooling layer; for keras.applications: include_top=False, pooling="avg".'
    )
    return check_feature_shape(output_shape(encoder), name, advice)


def check_feature_shape(shape, name, advice):
    """Returns D of a shape `(B, D)`; ValueError for any other."""
    if isinstance(shape, (list, dict)) or len(shape) != 2 or shape[1] is None:
        raise ValueError(
            f"`{name}` must return features of shape (B, D) with D known, and it returns {shape}."
            f"{advice}"
        )
    return shape[1]


def num_classes_of(classifier):
    """Returns K of a classifier's logits `(B, K)`; ValueError for any other output."""
    shape = output_shape(classifier)
    if isinstance(shape, (list, dict)) or len(shape) != 2 or shape[1] is None or shape[1] < 2:
        raise ValueError(
            "`classifier` must return logits of shape (B, K), one for each of K >= 2 classes, and "
            f"it returns {shape}. keras_ssl.models.classifier(encoder, num_classes) makes one."
        )
    last = classifier
    while isinstance(last, keras.Model) and last.layers:
        last = last.layers[-1]
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax:
        raise ValueError(
            "`classifier` must return logits, and its last layer ends in a softmax: leave that "
            "out, the losses take it themselves."
        )
    return shape[1]

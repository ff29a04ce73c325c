"""The interface of encoders and classifiers: validation, and the shapes they return."""

import keras

from keras_ssl.images import image_shape


def check_encoder(encoder, name="encoder"):
    """Raises unless an encoder is a built, serializable model from images to `(B, D)`."""
    check_network(encoder, name, "features (B, D)")
    feature_width(encoder, name)


def check_text_encoder(encoder):
    """Raises unless `encoder` is a built, serializable model from token ids to `(B, E)`.

    Returns:
        Int, E.
    """
    name = "text_encoder"
    check_network(encoder, name, "features (B, E)", input_name="token ids (B, T)", input_rank=2)
    try:
        shape = encoder.output_shape
    except AttributeError:  # a subclassed model has no symbolic output
        token_ids = keras.KerasTensor((None, context_length(encoder)), "int32")
        shape = encoder.compute_output_spec(token_ids).shape
    return check_feature_shape(shape, name, "")


def context_length(encoder):
    """Returns the number of token ids that a text encoder takes; ValueError if it is unknown."""
    length = getattr(encoder, "context_length", None)
    if length is None and hasattr(encoder, "inputs"):
        length = encoder.input_shape[1]
    if length is None:
        raise ValueError(
            f"The context length of `text_encoder` {encoder.name!r} is unknown. Give it an "
            "attribute `context_length`, or an input of known length, keras.Input((32,))."
        )
    return int(length)


def check_network(network, name, output_name, input_name="images (B, H, W, C)", input_rank=4):
    """Raises unless a network is a built, serializable model of one batch of images or texts.

    Args:
        network: The argument's value.
        name: The argument's name.
        output_name: What the network must return, for messages.
        input_name: What the network must take, for messages.
        input_rank: Int, number of axes of the input.
    """
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{name}` must be a keras.Model from {input_name} to {output_name}, "
            f"received {type(network).__name__}."
        )
    if hasattr(network, "compute_losses"):
        raise ValueError(
            f"`{name}` is a {type(network).__name__}, a method that trains a network. Pass the "
            "network itself, `model.encoder` or `model.classifier`."
        )
    if not network.built:
        shape = "(None, height, width, channels)" if input_rank == 4 else "(None, context_length)"
        raise ValueError(
            f"`{name}` {network.name!r} is not built. Call it once on a batch of {input_name}, or "
            f"call `{name}.build({shape})`, before you pass it."
        )
    try:
        network.get_config()
    except NotImplementedError as error:
        raise ValueError(
            f"`{name}` {network.name!r} cannot be saved. Give its class a `get_config()` that "
            "returns the constructor's arguments, and decorate it with "
            "@keras.saving.register_keras_serializable()."
        ) from error
    if isinstance(network, keras.Sequential) or hasattr(network, "inputs"):
        input_shape = network.input_shape
        if isinstance(input_shape, (list, dict)) or len(input_shape) != input_rank:
            raise ValueError(
                f"`{name}` must take one batch of {input_name}. Its input shape is {input_shape}."
            )


def check_vision_transformer(encoder):
    """Raises unless `encoder` returns tokens, as the networks of `encoders.vit` do."""
    check_encoder(encoder)
    if not hasattr(encoder, "tokens") or not hasattr(encoder, "patch_size"):
        raise TypeError(
            "`encoder` must be a vision transformer such as keras_ssl.encoders.vit(input_shape, "
            f"patch_size), because its patches are masked; received {type(encoder).__name__}."
        )


def output_shape(network):
    """Returns the shape of a network's output, with None for the batch."""
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
    """Returns D of a shape `(B, D)`; ValueError for any other shape."""
    if isinstance(shape, (list, dict)) or len(shape) != 2 or shape[1] is None:
        raise ValueError(
            f"`{name}` must return features of shape (B, D) with D known. It returns shape {shape}."
            f"{advice}"
        )
    return shape[1]


def num_classes_of(classifier):
    """Returns K of a classifier's logits `(B, K)`; ValueError for any other output."""
    shape = output_shape(classifier)
    if isinstance(shape, (list, dict)) or len(shape) != 2 or shape[1] is None or shape[1] < 2:
        raise ValueError(
            "`classifier` must return logits of shape (B, K), one for each of K >= 2 classes. It "
            f"returns shape {shape}. keras_ssl.models.classifier(encoder, num_classes) makes one."
        )
    last = classifier
    while isinstance(last, keras.Model) and last.layers:
        last = last.layers[-1]
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax:
        raise ValueError(
            "`classifier` must return logits, and its last layer ends in a softmax. Remove the "
            "softmax: the losses apply it."
        )
    return shape[1]

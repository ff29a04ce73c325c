"""A model's config, read from the signature of its constructor."""

import functools
import inspect

import keras


def config_of(model, exclude=()):
    """Returns the config of a model that stores each constructor argument under its own name.

    Args:
        model: `keras.Model`.
        exclude: Names of arguments that are derived from others.
    """
    policy = keras.saving.serialize_keras_object(model.dtype_policy)
    config = {"name": model.name, "trainable": model.trainable, "dtype": policy}
    for name in argument_names(type(model)):
        if name not in exclude:
            config[name] = keras.saving.serialize_keras_object(getattr(model, name))
    return config


def model_from_config(cls, config, custom_objects=None):
    """Creates a model from what `config_of` returned."""
    if config.get("views"):
        _import_views()
    arguments = {
        name: value
        if name in ("name", "dtype", "trainable")
        else keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
        for name, value in config.items()
    }
    trainable = arguments.pop("trainable", True)
    model = cls(**arguments)
    if not trainable:  # setting True would unfreeze what the method freezes
        model.trainable = False
    return model


def argument_names(cls):
    """Returns the names of the constructor arguments of a class and its bases up to Keras."""
    names = {}
    for base in cls.__mro__:
        if base is keras.Model:
            break
        if "__init__" not in vars(base):
            continue
        for name, parameter in inspect.signature(base.__init__).parameters.items():
            is_variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if name != "self" and not is_variadic:
                names.setdefault(name)
    return list(names)


def check_arguments_stored(init):
    """Wraps a constructor: raises if an argument is not stored, when the model is created.

    Without it the error would come from `save`, after training.
    """

    @functools.wraps(init)
    def wrapper(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if type(self).__init__ is not wrapper:  # a subclass has its own constructor
            return
        missing = [name for name in argument_names(type(self)) if not hasattr(self, name)]
        if missing:
            raise AttributeError(
                f"{type(self).__name__}.__init__ must store each argument under its own name, so "
                f"that the model can be saved. Add `self.{missing[0]} = {missing[0]}`."
            )

    return wrapper


def _import_views():
    """Imports all view classes, because Keras looks up a config's class among imported ones."""
    from keras_ssl import views

    for name in views.__all__:
        getattr(views, name)

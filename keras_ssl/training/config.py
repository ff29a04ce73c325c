"""A model's config, read from its constructor: a method writes no code for it."""

import inspect

import keras


class ConfigMixin:
    """Config of a `keras.Model` that keeps each argument of `__init__` under its own name."""

    config_exclude = ()  # arguments of a base class that a class gives it, and does not take

    def get_config(self):
        """Every argument of `__init__`, read from the attribute of its name."""
        policy = keras.saving.serialize_keras_object(self.dtype_policy)
        config = {"name": self.name, "trainable": self.trainable, "dtype": policy}
        for name in self._argument_names():
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the model of a config; what it holds is deserialized first."""
        if config.get("views"):
            _import_views()
        restored = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            if name not in ("name", "dtype", "trainable")
            else value
            for name, value in config.items()
        }
        trainable = restored.pop("trainable", True)
        model = cls(**restored)
        if not trainable:  # True would also unfreeze what the method freezes
            model.trainable = False
        return model

    @classmethod
    def _argument_names(cls):
        """Names of the `__init__` arguments along the classes of this package and of the user."""
        names = {}
        for base in cls.__mro__:
            if not issubclass(base, ConfigMixin) or "__init__" not in vars(base):
                continue
            for name, parameter in inspect.signature(base.__init__).parameters.items():
                is_own = name != "self" and parameter.kind is not parameter.VAR_KEYWORD
                if is_own and name not in cls.config_exclude:
                    names.setdefault(name)
        return list(names)


def _import_views():
    """Imports every view class: Keras finds the class of a config among those imported."""
    from keras_ssl import views

    for name in views.__all__:
        getattr(views, name)

"""Annotations of the public functions and classes."""

import importlib
import inspect
import types

import keras
import pytest

import keras_ssl
from keras_ssl import recipes, schedules

PACKAGES = [
    "keras_ssl",
    *(f"keras_ssl.{name}" for name in keras_ssl.__all__ if name.islower()),
    "keras_ssl.evaluation.plots",
    "keras_ssl.recipes.base",
    "keras_ssl.recipes.encoders",
    "keras_ssl.recipes.pretraining",
    "keras_ssl.recipes.semi_supervised",
]
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def public_objects(module):
    """Returns the classes and functions that a module exports or, without `__all__`, defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    objects = [getattr(module, name) for name in names if not name.startswith("_")]
    return [x for x in objects if callable(x)]


def keras_parameters(owner, name):
    """Returns the names of the parameters that a method repeats from a class of Keras."""
    for base in owner.__mro__[1:]:
        if base.__module__.startswith("keras.") and name in vars(base):
            return set(inspect.signature(vars(base)[name]).parameters)
    return set()


def public_functions(value):
    """Yields `(name, function, exempt parameters)` of a function, or of a class's public methods."""
    if not inspect.isclass(value):
        yield value.__qualname__, value, set()
        return
    for owner in value.__mro__:
        if not owner.__module__.startswith("keras_ssl"):
            continue
        for name, member in vars(owner).items():
            function = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
            if inspect.isfunction(function) and (not name.startswith("_") or name == "__init__"):
                yield f"{owner.__qualname__}.{name}", function, keras_parameters(owner, name)


def unannotated(value):
    for name, function, exempt in public_functions(value):
        for parameter in inspect.signature(function).parameters.values():
            is_receiver = parameter.name in ("self", "cls") or parameter.kind in VARIADIC
            if is_receiver or parameter.name in exempt:
                continue
            if parameter.annotation is inspect.Parameter.empty:
                yield f"{function.__module__}.{name}({parameter.name})"


if __name__ == "__main__":
    for p in PACKAGES:
        m = importlib.import_module(p)
        print(p, len(public_objects(m)))
        for o in public_objects(m):
            for u in unannotated(o): print("  ", u)

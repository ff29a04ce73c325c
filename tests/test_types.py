"""Annotations of what users call."""

import importlib
import inspect

import pytest

import keras_ssl

MODULES = [
    "keras_ssl",
    *(f"keras_ssl.{name}" for name in keras_ssl.__all__ if name.islower() and name != "recipes"),
    "keras_ssl.evaluation.plots",
    "keras_ssl.recipes.base",
    "keras_ssl.recipes.encoders",
    "keras_ssl.recipes.pretraining",
    "keras_ssl.recipes.semi_supervised",
]


def public_callables(module):
    """Returns the functions and classes in `__all__`, or those that the module defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        defined = getattr(module, "__name__", None)
        names = [n for n, v in vars(module).items() if getattr(v, "__module__", None) == defined]
    values = [getattr(module, name) for name in names if not name.startswith("_")]
    return [value for value in values if callable(value)]


def public_functions(value):
    """Returns `(name, function, exempt parameters)` of a function or of a class's methods."""
    if not inspect.isclass(value):
        return [(value.__name__, value, set())]
    functions = []
    for position, owner in enumerate(value.__mro__):
        for name in vars(owner) if owner.__module__.startswith("keras_ssl") else ():
            function = getattr(owner, name)
            is_public = not name.startswith("_") or name in ("__init__", "__call__")
            # An alias, such as `unpack_batch`, is checked where the function is defined.
            if is_public and getattr(function, "__name__", None) == name:
                parents = value.__mro__[position + 1 :]
                exempt = set() if name == "__init__" else parameters_of_parents(parents, name)
                functions.append((f"{owner.__name__}.{name}", function, exempt))
    return functions


def parameters_of_parents(parents, name):
    """Returns the parameters of the methods that a method overrides: they are annotated there."""
    methods = [getattr(parent, name) for parent in parents if name in vars(parent)]
    return {
        p for method in methods if callable(method) for p in inspect.signature(method).parameters
    }


def unannotated_parameters(value):
    """Returns the names of the parameters of a function or class that have no annotation."""
    missing = []
    for name, function, exempt in public_functions(value):
        for parameter in inspect.signature(function).parameters.values():
            is_variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            is_exempt = is_variadic or parameter.name in {"self", "cls", *exempt}
            if parameter.annotation is parameter.empty and not is_exempt:
                missing.append(f"{function.__module__}.{name}({parameter.name})")
    return missing


@pytest.mark.parametrize("name", MODULES)
def test_public_parameters_are_annotated(name):
    values = public_callables(importlib.import_module(name))
    assert values, f"{name} exports no function or class."
    missing = sorted({text for value in values for text in unannotated_parameters(value)})
    assert not missing, "These parameters have no annotation:\n" + "\n".join(missing)


def test_a_missing_annotation_is_reported():
    def add(a: int, b, *args, **kwargs):
        return a + b

    class Parent:
        def change(self, x: int):
            return x

    class Child(Parent):
        def __init__(self, width):
            self.width = width

        def change(self, x, scale):
            return x * scale

    Child.__module__ = "keras_ssl"
    assert [text.split(".")[-1] for text in unannotated_parameters(add)] == ["add(b)"]
    reported = [text.split("Child.")[-1] for text in unannotated_parameters(Child)]
    assert reported == ["__init__(width)", "change(scale)"]

"""The recipes as tests see them: files that are loaded, not installed."""

import importlib.util
import sys
import typing
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
ALL = sorted(path.stem for path in RECIPES.glob("*.py"))


def load(name):
    """The module of a recipe, under its own name: one recipe may run others."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def options_of(name):
    """The class of the options that a recipe shares with others."""
    return typing.get_type_hints(load(name).main)["run"]


for each in ("fixmatch", "simclr", "supervised"):  # which pretrain_then_fixmatch imports
    load(each)

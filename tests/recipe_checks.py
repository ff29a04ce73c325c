"""The recipe scripts, imported by name as they import each other."""

import importlib
import sys
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
ALL = sorted(path.stem for path in RECIPES.glob("*.py"))
TINY = {"encoder": "vit_tiny", "width": 12, "depth": 1}  # options of an encoder that trains fast

sys.path.insert(0, str(RECIPES))


def load(name):
    """Returns the module of a recipe."""
    return importlib.import_module(name)


def names_with(config_class):
    """Returns the names of the recipes whose options extend `config_class`."""
    return [name for name in ALL if issubclass(load(name).Config, config_class)]

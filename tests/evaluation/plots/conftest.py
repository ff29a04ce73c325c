"""Fixtures for tests of plots, which read figures as they are saved."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image


@pytest.fixture
def saved_figures(monkeypatch):
    """Figures in the order in which they are saved."""
    figures = []
    original = Figure.savefig

    def savefig(self, *args, **kwargs):
        figures.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


@pytest.fixture
def read_png():
    """Function from a path to the RGB pixels of its image."""
    return lambda path: np.asarray(Image.open(path))[..., :3].astype("float64")

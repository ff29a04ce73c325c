"""What is true of every name in `keras_ssl.layers`."""

import inspect
import re
import textwrap

import keras
import numpy as np
import pytest

import keras_ssl
from keras_ssl import layers


@pytest.mark.parametrize("name", layers.__all__)
def test_every_layer_documents_its_arguments_and_has_an_example_that_runs(name):
    docstring = inspect.getdoc(getattr(layers, name))
    assert "Args:" in docstring
    example = re.search(r"^Example:\n\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE).group(1)
    assert f"keras_ssl.layers.{name}(" in example
    # A line such as `layer(x).shape  # (8, 4)` becomes an assertion.
    example = re.sub(
        r"^(.*\.shape)  # (\(.*\))$",
        r"assert tuple(\1) == \2",
        textwrap.dedent(example),
        flags=re.MULTILINE,
    )
    exec(example, {"keras": keras, "keras_ssl": keras_ssl, "np": np})

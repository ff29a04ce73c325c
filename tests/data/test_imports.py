from pathlib import Path

import pytest
from processes import run_python

import keras_ssl

MODULES = sorted(path.stem for path in Path(keras_ssl.__file__).parent.glob("data/*.py"))


@pytest.mark.slow
def test_data_modules_import_without_tensorflow():
    script = (
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        "import importlib\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(f'keras_ssl.data.{name}')\n"
        "print('imported')\n"
    )
    names = [name for name in MODULES if name != "__init__"]
    assert "imported" in run_python(script, *names, KERAS_BACKEND="jax")


def test_data_modules_do_not_load_tensorflow_on_jax():
    script = (
        "import sys\n"
        "from keras_ssl.data import captions, class_names, pipeline, relabeling\n"
        "from keras_ssl.data.semi_supervised import DatasetInfo\n"
        "print('tensorflow.python' in sys.modules)\n"
    )
    assert run_python(script, KERAS_BACKEND="jax").strip() == "False"

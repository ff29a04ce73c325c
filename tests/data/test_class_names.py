import numpy as np
import pytest
from PIL import Image

from keras_ssl import data


def test_class_names_of_digits_and_folders_are_in_the_order_of_labels(tmp_path):
    assert data.class_names("digits")[:3] == ["zero", "one", "two"]
    for name in ("red_Fox", "arctic hare"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(tmp_path / name / "a.png")
    assert data.class_names(tmp_path) == ["arctic hare", "red fox"]


def test_class_names_rejects_folders_without_classes_and_unknown_names(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="has no classes with names"):
        data.class_names(tmp_path)
    with pytest.raises(ValueError, match="not a known dataset"):
        data.class_names("no_such_thing")

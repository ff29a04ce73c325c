"""What makes pipelines fast and can be seen without a clock."""

import ctypes

import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import data
from keras_ssl.data import _allocator

IMAGES = np.zeros((20, 8, 8, 3), "uint8")


def same(images, seed):
    return tf.image.convert_image_dtype(images, tf.float32)


def test_no_pipeline_waits_for_tensorflows_own_tuning():
    single = data.load(IMAGES)
    labeled = data.load((IMAGES, np.arange(20) % 2))
    kinds = {
        "load": single,
        "load, resized": data.load(IMAGES, image_size=4),
        "views": data.make_views(single, (same, same), 4),
        "semi_supervised": data.semi_supervised(labeled, single, 2, 2, weak=same, strong=same),
        "from what was loaded": single.batch(3).map(lambda x: x),
    }
    for kind, dataset in kinds.items():
        assert dataset.options().autotune.enabled is False, kind


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("UNRELATED", "1", [(-2, 64 * 2**20)]),
        ("MALLOC_TOP_PAD_", "0", []),
        ("GLIBC_TUNABLES", "glibc.malloc.top_pad=0", []),
    ],
)
def test_the_allocator_stays_as_a_user_set_it(monkeypatch, variable, value, expected):
    calls = []

    class Library:
        def mallopt(self, *arguments):
            calls.append(arguments)

    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    _allocator.retain_freed_memory.__wrapped__()
    assert calls == expected


def test_another_allocator_is_no_error(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    _allocator.retain_freed_memory.__wrapped__()

"""Properties that make pipelines fast and that can be tested without a clock."""

import ctypes
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import data
from keras_ssl.data import pipeline

IMAGES = np.zeros((20, 8, 8, 3), "uint8")


def same(images, seed):
    return tf.image.convert_image_dtype(images, tf.float32)


def test_no_pipeline_uses_the_autotuning_of_tf_data():
    images = data.load(IMAGES)
    labeled = data.load((IMAGES, np.arange(20) % 2))
    datasets = {
        "load": images,
        "load, resized": data.load(IMAGES, image_size=4),
        "make_views": data.make_views(images, (same, same), 4),
        "semi_supervised": data.semi_supervised(labeled, images, 2, 2, weak=same, strong=same),
        "made from load": images.batch(3).map(lambda x: x),
    }
    for name, dataset in datasets.items():
        assert dataset.options().autotune.enabled is False, name


@pytest.mark.parametrize(("cores", "expected"), [(1, 2), (2, 3), (96, 17)])
def test_one_batch_more_than_cores_is_processed_at_the_same_time(monkeypatch, cores, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert pipeline.num_parallel_batches() == expected


@pytest.fixture
def mallopt_calls(monkeypatch):
    """Records the calls of glibc's mallopt instead of making them."""
    calls = []

    class Library:
        def mallopt(self, *arguments):
            calls.append(arguments)

    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    return calls


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("UNRELATED", "1", [(-2, 64 * 2**20)]),
        ("MALLOC_TOP_PAD_", "0", []),
        ("GLIBC_TUNABLES", "glibc.malloc.top_pad=0", []),
    ],
)
def test_tune_allocator_keeps_settings_of_the_user(
    monkeypatch, mallopt_calls, variable, value, expected
):
    monkeypatch.setenv(variable, value)
    data.tune_allocator()
    assert mallopt_calls == expected


def test_tune_allocator_sets_the_given_size(mallopt_calls):
    data.tune_allocator(mebibytes=8)
    assert mallopt_calls == [(-2, 8 * 2**20)]


def test_tune_allocator_has_no_effect_without_glibc(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    data.tune_allocator()


@pytest.mark.parametrize(("mebibytes", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_tune_allocator_rejects_bad_sizes(mallopt_calls, mebibytes, error):
    with pytest.raises(error, match="`mebibytes`"):
        data.tune_allocator(mebibytes)
    assert not mallopt_calls


def test_no_pipeline_tunes_the_allocator(mallopt_calls):
    images = data.load(IMAGES)
    labeled = data.load((IMAGES, np.arange(20) % 2))
    next(iter(data.make_views(images, (same, same), 4)))
    next(iter(data.semi_supervised(labeled, images, 2, 2, weak=same, strong=same)))
    assert not mallopt_calls

"""Arrays as labeled and unlabeled images: in a tf.data pipeline, and without it on JAX."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import data, views

semi_supervised = sys.modules[data.semi_supervised.__module__]  # which has the function's name
LABELS = np.arange(40) % 4
IMAGES = np.arange(40, dtype="uint8")[:, None, None, None] * np.ones((1, 8, 8, 3), "uint8")
LABELED = IMAGES[:8], LABELS[:8]
NOISE = np.random.default_rng(0).integers(0, 256, IMAGES.shape, "uint8")


@dataclasses.dataclass(frozen=True)
class Same(views.View):
    runs_on_device = True

    def transform(self, images, seed):
        return images


def make(labeled=LABELED, unlabeled=(IMAGES, LABELS), batch_size=4, ratio=2, **kwargs):
    kwargs = {"weak": Same(), "strong": Same(), **kwargs}
    return data.semi_supervised(labeled, unlabeled, batch_size, ratio, **kwargs)


def batches_of(dataset, epoch=0):
    data.set_epoch(dataset, epoch)
    if isinstance(dataset, tf.data.Dataset):
        return list(dataset.as_numpy_iterator())
    batches = [dataset[index] for index in range(dataset.num_batches)]
    return keras.tree.map_structure(np.asarray, batches)


def positions(images):
    """Returns the positions of images; all pixels of an image are its position."""
    return np.round(255 * images[:, 0, 0, 0]).astype(int).tolist()


def test_an_epoch_is_one_shuffled_pass_over_the_unlabeled_images():
    dataset, orders = make(), []
    for epoch in range(2):
        batches = batches_of(dataset, epoch)
        for parts, _ in batches:
            assert positions(parts["weak"]) == positions(parts["strong"]) == parts["index"].tolist()
            np.testing.assert_array_equal(parts["unlabeled_labels"], LABELS[parts["index"]])
        orders.append(np.concatenate([parts["index"] for parts, _ in batches]).tolist())
        assert sorted(orders[-1]) == list(range(40)) != orders[-1]
    assert orders[0] != orders[1]
    assert batches_of(make(seed=1))[0][0]["index"].tolist() != orders[0][:8]


def test_labeled_images_repeat_in_another_order_also_within_a_batch():
    batches = batches_of(make(batch_size=6, ratio=1))
    for parts, labels in batches:
        np.testing.assert_array_equal(labels, LABELS[positions(parts["labeled"])])
    order = np.concatenate([positions(parts["labeled"]) for parts, _ in batches])
    passes = order[:32].reshape(4, 8)
    assert all(sorted(part) == list(range(8)) for part in passes)
    assert len({tuple(part) for part in passes}) == 4


def test_unlabeled_images_need_no_labels():
    assert "unlabeled_labels" not in batches_of(make(unlabeled=IMAGES))[0][0]


def test_views_without_tensorflow_are_those_of_the_pipeline(monkeypatch):
    if keras.backend.backend() != "jax":
        pytest.skip("On TensorFlow, there is only the pipeline.")
    arguments = {"labeled": (NOISE[:8], LABELS[:8]), "unlabeled": NOISE[8:], "seed": 3}
    arguments |= {"weak": None, "strong": None}  # FixMatch's
    found = make(**arguments)
    assert isinstance(found, keras.utils.PyDataset)
    found = batches_of(found, epoch=1)
    monkeypatch.setattr(semi_supervised, "supports_device_views", lambda *views: False)
    expected = batches_of(make(**arguments), epoch=1)
    for part, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(part, other, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labeled": IMAGES}, "`labeled` has no labels: pass a pair"),
        ({"labeled": (IMAGES, LABELS / 1)}, "one int label for each of 40 images.* float64"),
        ({"labeled": (IMAGES, LABELS[:5])}, r"one int label for each of 40 .* shape \(5,\)"),
        ({"labeled": (IMAGES, LABELS - 1)}, "labels of 0 or more, received -1"),
        ({"labeled": (IMAGES[:0], LABELS[:0])}, "`labeled` is empty"),
        ({"unlabeled": IMAGES[0]}, r"`unlabeled` must hold images \(N, H, W, C\).* \(8, 8, 3\)"),
        ({"unlabeled": IMAGES[:, :4]}, r"must have images of one shape, .*\(8, 8, 3\) and \(4, "),
        ({"unlabeled": IMAGES.astype("int32")}, "`unlabeled` must hold images in uint8 .* int32"),
        ({"unlabeled": IMAGES / 1}, "`unlabeled` has float pixels from 0 to 39"),
        ({"unlabeled": IMAGES[:7]}, r"has 7 images and a batch takes 4 \* 2 = 8"),
    ],
)
def test_invalid_arrays_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_ssl
from keras_ssl.evaluation import (
    extract_features,
    features,
    knn_from_features,
    linear_probe_from_features,
    read_images,
)
from keras_ssl.evaluation.metrics import knn, linear_probe


def images_of(rng, count=23, dtype="uint8"):
    images = rng.integers(0, 256, (count, 6, 6, 3), dtype="uint8")
    return images if dtype == "uint8" else (images / 255).astype(dtype)


@pytest.fixture
def model():
    """Its features are known: the mean of each channel."""
    images = keras.Input((None, None, 3))
    return keras.Model(images, layers.GlobalAveragePooling2D()(images))


def dataset_of(kind, images, labels):
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))
    dicts = pairs.map(lambda image, label: {"image": image, "label": label, "id": label})
    return {
        "pairs": pairs,
        "batches": pairs.batch(4),
        "dicts": dicts,
        "batches of dicts": dicts.batch(5),
        "batches larger than a forward pass": pairs.batch(20),
        "images of unknown size": tf.data.Dataset.from_generator(
            lambda: iter(zip(images, labels, strict=True)),
            output_signature=(
                tf.TensorSpec((None, None, 3), images.dtype),
                tf.TensorSpec((), labels.dtype),
            ),
        ),
        "arrays": (images, labels),
    }[kind]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("chunk", [1, 2**24])
@pytest.mark.parametrize(
    "kind",
    [
        "pairs",
        "batches",
        "dicts",
        "batches of dicts",
        "batches larger than a forward pass",
        "images of unknown size",
        "arrays",
    ],
)
def test_every_image_is_there_once_and_in_order(model, rng, kind, chunk, dtype, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", chunk)
    images, labels = images_of(rng, dtype=dtype), rng.integers(-3, 90, 23)
    found, found_labels = extract_features(model, dataset_of(kind, images, labels), batch_size=8)
    unit = images.astype("float64") / (255 if dtype == "uint8" else 1)
    np.testing.assert_allclose(found, unit.mean((1, 2)), atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found_labels, labels)
    read, read_labels = read_images(dataset_of(kind, images, labels))
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(read_labels, labels)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 255, 256, 257, 600])
def test_any_number_of_images_will_do(model, rng, count):
    images = images_of(rng, count)
    found, labels = extract_features(model, images)
    np.testing.assert_allclose(found, images.mean((1, 2)) / 255, atol=1e-5)
    assert labels is None


def test_images_without_labels_have_none(model, rng):
    images = images_of(rng)
    for dataset in (images, tf.data.Dataset.from_tensor_slices(images).batch(4)):
        assert extract_features(model, dataset)[1] is None
        assert read_images(dataset)[1] is None


def test_a_method_of_ours_gives_what_it_predicts(rng):
    images = images_of(rng)
    ours = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((6, 6, 3), width=4), projector=(8,))
    found, _ = extract_features(ours, tf.data.Dataset.from_tensor_slices(images).batch(8))
    np.testing.assert_allclose(found, ours.predict(images, verbose=0), atol=1e-5)


def test_no_model_gives_the_pixels(rng):
    images = images_of(rng)
    found, _ = extract_features(None, images)
    np.testing.assert_allclose(found, images.reshape(23, -1) / 255, atol=1e-7)


@pytest.mark.parametrize("chunk", [1, 2**24])
def test_features_over_views_are_the_mean_of_those_of_each_view(model, rng, chunk, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", chunk)
    images, labels = images_of(rng), np.arange(23)
    darker = (lambda images, seed: images / 255.0, lambda images, seed: images / 1020.0)
    found, found_labels = extract_features(model, (images, labels), batch_size=8, views=darker)
    whole = images.mean((1, 2)) / 255
    np.testing.assert_allclose(found, (whole + whole / 4) / 2, atol=1e-6)
    np.testing.assert_array_equal(found_labels, labels)
    alone, _ = extract_features(model, images, batch_size=8, views=darker[1:])
    np.testing.assert_allclose(alone, whole / 4, atol=1e-6)


def test_views_are_drawn_anew_for_each_view_and_chunk_and_alike_for_a_seed(model, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", 1)  # one batch each
    images, seen = np.zeros((16, 6, 6, 3), "uint8"), []

    def view(images, seed):
        seen.append(tuple(seed.tolist()))
        return tf.fill(images.shape, tf.random.stateless_uniform((), seed))

    found, _ = extract_features(model, images, batch_size=8, views=[view] * 3, seed=5)
    assert len(set(seen)) == len(seen) == 6
    again, _ = extract_features(model, images, batch_size=8, views=[view] * 3, seed=5)
    np.testing.assert_array_equal(found, again)
    other, _ = extract_features(model, images, batch_size=8, views=[view] * 3, seed=-6)
    assert np.abs(found - other).max() > 1e-3
    assert np.abs(found[:8] - found[8:]).max() > 1e-3


def test_views_of_ours_will_do(rng):
    images = rng.integers(0, 256, (10, 32, 32, 3), dtype="uint8")
    ours = keras_ssl.encoders.small_resnet((32, 32, 3), width=4)
    patches = keras_ssl.views.emp_ssl(32, patches=2)
    found, _ = extract_features(ours, images, views=patches)
    again, _ = extract_features(ours, images, views=patches)
    np.testing.assert_array_equal(found, again)
    assert np.abs(found - extract_features(ours, images)[0]).max() > 1e-3


def test_large_images_are_forwarded_a_batch_at_a_time(rng, model, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", 1)
    forwarded = []
    original = model.predict
    monkeypatch.setattr(
        model, "predict", lambda x, **kwargs: forwarded.append(len(x)) or original(x, **kwargs)
    )
    extract_features(model, images_of(rng, 23), batch_size=8)
    assert max(forwarded) == 8


def test_half_precision_features_come_out_in_float32(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    images = keras.Input((6, 6, 3))
    model = keras.Model(images, layers.GlobalAveragePooling2D()(images))
    found, _ = extract_features(model, images_of(rng))
    assert found.dtype == np.float32


def test_reads_no_more_images_than_asked_for(rng):
    images, labels = images_of(rng), np.arange(23)
    endless = tf.data.Dataset.from_tensor_slices((images, labels)).repeat()
    read, read_labels = read_images(endless, 30)
    assert len(read) == len(read_labels) == 30
    np.testing.assert_array_equal(read_labels[23:], labels[:7])
    assert len(read_images((images, labels), 50)[0]) == 23


def slices(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (np.zeros((0, 6, 6, 3), "uint8"), "`dataset` is empty"),
        (slices(np.zeros((0, 6, 6, 3), "uint8")), "`dataset` is empty"),
        (np.zeros((2, 6, 6, 3), "int32"), "`dataset` must be uint8"),
        (np.full((2, 6, 6, 3), 200.0), "floats must lie in 0..1"),
        (np.zeros((6, 6, 3), "uint8"), r"\(B, H, W, C\)"),
        ((np.zeros((3, 6, 6, 3), "uint8"), np.zeros(2)), r"images \(3, .* labels \(2,\)"),
        (slices(np.zeros((2, 6, 6, 3), "uint8")).repeat(), "repeats forever"),
        (slices({"picture": np.zeros((2, 6, 6, 3), "uint8")}), "dicts without 'image'"),
        (
            tf.data.Dataset.from_tensors(((np.zeros((2, 6, 6, 3)), np.zeros((2, 6, 6, 3))),)),
            "ready views",
        ),
        (
            tf.data.Dataset.from_generator(
                lambda: iter([np.zeros((6, 6, 3), "uint8"), np.zeros((7, 6, 3), "uint8")]),
                output_signature=tf.TensorSpec((None, None, 3), "uint8"),
            ),
            "several sizes",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_what_is_wrong_with_a_data_set(model, dataset, message):
    with pytest.raises(ValueError, match=message):
        extract_features(model, dataset)
    with pytest.raises(ValueError, match=message):
        read_images(dataset)


def test_names_what_is_wrong_with_other_arguments(model, rng):
    with pytest.raises(TypeError, match=r"`dataset` must be a tf\.data\.Dataset"):
        extract_features(model, "digits")
    with pytest.raises(ValueError, match="`batch_size`"):
        extract_features(model, images_of(rng), batch_size=0)
    one = keras_ssl.views.RandomFlip()
    for wrong in (one, (), [one, None], "views", 3):
        with pytest.raises(ValueError, match="`views` must be a sequence of one view or more"):
            extract_features(model, images_of(rng), views=wrong)
    with pytest.raises(ValueError, match="`limit`"):
        read_images(images_of(rng), limit=0)
    images = keras.Input((6, 6, 3))
    flat = keras.Model(images, layers.Conv2D(2, 3)(images))
    with pytest.raises(ValueError, match=r"`model` must return features \(B, D\)"):
        extract_features(flat, images_of(rng))


def test_knn_and_the_linear_probe_measure_the_mean_of_views(model, rng):
    images = rng.random((60, 4, 4, 3), dtype="float32")
    labels = np.arange(60) % 3
    sets = ((images[:40], labels[:40]), (images[40:], labels[40:]))
    patches = keras_ssl.views.emp_ssl(4, patches=2)
    means = [each for data in sets for each in extract_features(model, data, views=patches)]
    assert knn(model, *sets, k=5, views=patches) == knn_from_features(*means, k=5)
    probe = linear_probe(model, *sets, views=patches)
    assert probe == linear_probe_from_features(*means)

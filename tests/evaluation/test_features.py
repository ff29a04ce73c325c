import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_ssl
from keras_ssl.evaluation import (
    extract_features,
    features,
    knn,
    knn_from_features,
    linear_probe,
    linear_probe_from_features,
    read_images,
)


def random_images(rng, count=23, dtype="uint8"):
    images = rng.integers(0, 256, (count, 6, 6, 3), dtype="uint8")
    return images if dtype == "uint8" else (images / 255).astype(dtype)


@pytest.fixture
def model():
    """A model with known features: the mean of each channel."""
    images = keras.Input((None, None, 3))
    return keras.Model(images, layers.GlobalAveragePooling2D()(images))


def make_dataset(kind, images, labels):
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
def test_extract_features_returns_each_image_once_and_in_order(
    model, rng, kind, chunk, dtype, monkeypatch
):
    monkeypatch.setattr(features, "CHUNK_VALUES", chunk)
    images, labels = random_images(rng, dtype=dtype), rng.integers(-3, 90, 23)
    dataset = make_dataset(kind, images, labels)
    extracted, extracted_labels = extract_features(model, dataset, batch_size=8)
    scaled = images.astype("float64") / (255 if dtype == "uint8" else 1)
    np.testing.assert_allclose(extracted, scaled.mean((1, 2)), atol=1e-6)
    assert extracted.dtype == np.float32
    np.testing.assert_array_equal(extracted_labels, labels)
    read, read_labels = read_images(make_dataset(kind, images, labels))
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(read_labels, labels)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 255, 256, 257, 600])
def test_extract_features_accepts_any_number_of_images(model, rng, count):
    images = random_images(rng, count)
    extracted, labels = extract_features(model, images)
    np.testing.assert_allclose(extracted, images.mean((1, 2)) / 255, atol=1e-5)
    assert labels is None


def test_extract_features_returns_no_labels_for_images_alone(model, rng):
    images = random_images(rng)
    for dataset in (images, tf.data.Dataset.from_tensor_slices(images).batch(4)):
        assert extract_features(model, dataset)[1] is None
        assert read_images(dataset)[1] is None


def test_extract_features_of_a_method_equals_its_predictions(rng):
    images = random_images(rng)
    model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((6, 6, 3), width=4), projector=(8,))
    extracted, _ = extract_features(model, tf.data.Dataset.from_tensor_slices(images).batch(8))
    np.testing.assert_allclose(extracted, model.predict(images, verbose=0), atol=1e-5)


def test_extract_features_without_a_model_returns_pixels(rng):
    images = random_images(rng)
    extracted, _ = extract_features(None, images)
    np.testing.assert_allclose(extracted, images.reshape(23, -1) / 255, atol=1e-7)


@pytest.mark.parametrize("chunk", [1, 2**24])
def test_extract_features_averages_over_views(model, rng, chunk, monkeypatch):
    monkeypatch.setattr(features, "CHUNK_VALUES", chunk)
    images, labels = random_images(rng), np.arange(23)
    dark_views = (lambda images, seed: images / 255.0, lambda images, seed: images / 1020.0)
    extracted, extracted_labels = extract_features(
        model, (images, labels), batch_size=8, views=dark_views
    )
    bright = images.mean((1, 2)) / 255
    np.testing.assert_allclose(extracted, (bright + bright / 4) / 2, atol=1e-6)
    np.testing.assert_array_equal(extracted_labels, labels)
    dark, _ = extract_features(model, images, batch_size=8, views=dark_views[1:])
    np.testing.assert_allclose(dark, bright / 4, atol=1e-6)


def test_extract_features_draws_views_by_seed_view_and_chunk(model, monkeypatch):
    monkeypatch.setattr(features, "CHUNK_VALUES", 1)  # a chunk is one batch
    images, seeds = np.zeros((16, 6, 6, 3), "uint8"), []

    def view(images, seed):
        seeds.append(tuple(seed.tolist()))
        return tf.fill(images.shape, tf.random.stateless_uniform((), seed))

    first, _ = extract_features(model, images, batch_size=8, views=[view] * 3, seed=5)
    assert len(set(seeds)) == len(seeds) == 6
    again, _ = extract_features(model, images, batch_size=8, views=[view] * 3, seed=5)
    np.testing.assert_array_equal(first, again)
    other, _ = extract_features(model, images, batch_size=8, views=[view] * 3, seed=-6)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first[:8] - first[8:]).max() > 1e-3


def test_extract_features_accepts_a_preset_of_views(rng):
    images = rng.integers(0, 256, (10, 32, 32, 3), dtype="uint8")
    encoder = keras_ssl.encoders.small_resnet((32, 32, 3), width=4)
    patches = keras_ssl.views.emp_ssl(32, patches=2)
    first, _ = extract_features(encoder, images, views=patches)
    again, _ = extract_features(encoder, images, views=patches)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - extract_features(encoder, images)[0]).max() > 1e-3


def test_extract_features_forwards_large_images_one_batch_at_a_time(rng, model, monkeypatch):
    monkeypatch.setattr(features, "CHUNK_VALUES", 1)
    sizes = []
    original = model.predict
    monkeypatch.setattr(
        model, "predict", lambda x, **kwargs: sizes.append(len(x)) or original(x, **kwargs)
    )
    extract_features(model, random_images(rng, 23), batch_size=8)
    assert max(sizes) == 8


def test_extract_features_returns_float32_under_mixed_precision(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    images = keras.Input((6, 6, 3))
    model = keras.Model(images, layers.GlobalAveragePooling2D()(images))
    extracted, _ = extract_features(model, random_images(rng))
    assert extracted.dtype == np.float32


def test_read_images_reads_at_most_limit_images(rng):
    images, labels = random_images(rng), np.arange(23)
    infinite = tf.data.Dataset.from_tensor_slices((images, labels)).repeat()
    read, read_labels = read_images(infinite, 30)
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
        (np.full((2, 6, 6, 3), 200.0), "floats must be in 0..1"),
        (np.zeros((6, 6, 3), "uint8"), r"\(B, H, W, C\)"),
        ((np.zeros((3, 6, 6, 3), "uint8"), np.zeros(2)), r"one label for .* labels \(2,\)"),
        (slices(np.zeros((2, 6, 6, 3), "uint8")).repeat(), "repeats forever"),
        (slices({"picture": np.zeros((2, 6, 6, 3), "uint8")}), "dicts without the key 'image'"),
        (
            tf.data.Dataset.from_tensors(((np.zeros((2, 6, 6, 3)), np.zeros((2, 6, 6, 3))),)),
            "holds views",
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
def test_datasets_that_cannot_be_read_are_rejected(model, dataset, message):
    with pytest.raises(ValueError, match=message):
        extract_features(model, dataset)
    with pytest.raises(ValueError, match=message):
        read_images(dataset)


def test_extract_features_rejects_bad_arguments(model, rng):
    with pytest.raises(TypeError, match=r"`dataset` must be a tf\.data\.Dataset"):
        extract_features(model, "digits")
    with pytest.raises(ValueError, match="`batch_size`"):
        extract_features(model, random_images(rng), batch_size=0)
    view = keras_ssl.views.RandomFlip()
    for views in (view, [view, None], "views", 3):
        with pytest.raises(TypeError, match="`views` must be a sequence of views"):
            extract_features(model, random_images(rng), views=views)
    with pytest.raises(ValueError, match="`views`"):
        extract_features(model, random_images(rng), views=())
    with pytest.raises(TypeError, match="`seed` must be an int"):
        extract_features(model, random_images(rng), seed=0.5)
    with pytest.raises(ValueError, match="`limit`"):
        read_images(random_images(rng), limit=0)
    images = keras.Input((6, 6, 3))
    convolution = keras.Model(images, layers.Conv2D(2, 3)(images))
    with pytest.raises(ValueError, match=r"`model` must return features \(B, D\)"):
        extract_features(convolution, random_images(rng))


def test_knn_and_linear_probe_use_the_mean_features_of_views(model, rng):
    images = rng.random((60, 4, 4, 3), dtype="float32")
    labels = np.arange(60) % 3
    datasets = ((images[:40], labels[:40]), (images[40:], labels[40:]))
    patches = keras_ssl.views.emp_ssl(4, patches=2)
    train, test = (extract_features(model, dataset, views=patches) for dataset in datasets)
    accuracy = knn(model, *datasets, k=5, views=patches)
    assert accuracy == knn_from_features(*train, *test, k=5)
    accuracy = linear_probe(model, *datasets, views=patches)
    assert accuracy == linear_probe_from_features(*train, *test)

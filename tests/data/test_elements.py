import numpy as np
import pytest
import tensorflow as tf

from keras_ssl.data import elements

IMAGES = np.zeros((10, 4, 4, 3), "float32")


def batches(images=IMAGES, size=4):
    return tf.data.Dataset.from_tensor_slices(images).batch(size)


def error_of(dataset):
    """Returns the error that iteration over a dataset raises."""
    with pytest.raises(tf.errors.InvalidArgumentError) as info:
        list(dataset)
    return info.value


def test_assertion_message_is_that_of_a_failed_assertion():
    images = np.where(np.arange(10)[:, None, None, None] == 5, np.nan, IMAGES)
    checked = batches(images).enumerate().map(lambda i, x: elements.assert_images(x, i))
    message = elements.assertion_message(error_of(checked))
    assert message == "NaN or infinite pixels in the batch with index 1"


def test_assertion_message_is_none_for_other_errors():
    dataset = tf.data.Dataset.from_tensors("no image").map(tf.io.decode_png)
    assert elements.assertion_message(error_of(dataset)) is None


def test_first_element_reports_failed_assertions_as_value_errors():
    checked = batches(IMAGES + 9).enumerate().map(lambda i, x: elements.assert_images(x, i))
    with pytest.raises(ValueError, match=r"`x` failed a check .*outside 0\.\.1 .* index 0\.$"):
        elements.first_element(checked)
    with pytest.raises(ValueError, match="`x` is empty"):
        elements.first_element(batches().take(0))


def test_first_element_keeps_other_errors():
    with pytest.raises(tf.errors.InvalidArgumentError):
        elements.first_element(tf.data.Dataset.from_tensors("no image").map(tf.io.decode_png))


def test_assertions_raise_in_eager_mode():
    np.testing.assert_array_equal(elements.assert_labels(tf.constant([0, 2]), 3, 0), [0, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Labels outside 0\.\.2"):
        elements.assert_labels(tf.constant([0, 3]), 3, 0)


@pytest.mark.parametrize(
    ("dataset", "rows", "cardinality"),
    [
        (batches(), 4, 2),
        (batches().map(lambda x: x).prefetch(1), 4, 2),
        (batches().filter(lambda x: True), 4, tf.data.UNKNOWN_CARDINALITY),
        (batches(IMAGES[:2]), 2, 0),
    ],
)
def test_drop_partial_batches_keeps_full_batches_only(dataset, rows, cardinality):
    full, size = elements.drop_partial_batches(dataset, rows)
    assert size == 4
    assert full.cardinality() == cardinality
    assert [len(batch) for batch in full] == [4] * (2 if rows == 4 else 0)

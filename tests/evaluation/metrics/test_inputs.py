import numpy as np
import pytest

from keras_ssl.evaluation.metrics import inputs

NAN = float("nan")
ROWS = np.ones((6, 4), "float32")
LABELS = np.arange(6)


def test_as_array_returns_an_array_of_the_given_type():
    np.testing.assert_array_equal(
        inputs.as_array("x", [1, 2], "float32"), np.array([1, 2], "float32")
    )
    assert inputs.as_array("x", ROWS).dtype == "float64"


@pytest.mark.parametrize("values", [["a"], [[1], [1, 2]], {"a": 1}])
def test_as_array_names_values_that_are_not_numbers(values):
    with pytest.raises(TypeError, match="`x` must be an array of numbers, received"):
        inputs.as_array("x", values)


def test_check_labeled_features_accepts_ints_and_strings():
    for labels in (LABELS, LABELS.astype(str)):
        inputs.check_labeled_features(train=(ROWS, labels))


@pytest.mark.parametrize(
    ("features", "labels", "error", "message"),
    [
        (ROWS, None, ValueError, "`test` has no labels"),
        (ROWS, LABELS[:5], ValueError, r"`test` must have features \(N, D\) and labels \(N,\)"),
        (ROWS[:0], LABELS[:0], ValueError, "`test` is empty"),
        (ROWS, LABELS / 2, TypeError, "`test_labels` must be ints or strings, received dtype"),
        (NAN * ROWS, LABELS, ValueError, "`test` has NaN or infinite features"),
        (ROWS[:, :3], LABELS, ValueError, "`test_features` must .* differ in width: 4 and 3"),
        ([["a"]], [0], TypeError, "`test_features` must be an array of numbers"),
    ],
)
def test_check_labeled_features_rejects_invalid_sets(features, labels, error, message):
    with pytest.raises(error, match=message):
        inputs.check_labeled_features(train=(ROWS, LABELS), test=(features, labels))

import keras
import numpy as np
import pytest

from keras_ssl import validation

NAN, INFINITY = float("nan"), float("inf")
SCHEDULE = keras.optimizers.schedules.CosineDecay(0.5, 10)
ROWS = np.ones((6, 4), "float32")


def check_view_sequence(views):
    validation.check_view_sequence(views, 2)


def check_threshold(threshold):
    validation.check_threshold(threshold, ROWS)


def named(check, *limits, **options):
    """Returns a check of one positional value, which gets the name `x`."""
    return lambda value: check(*limits, **options, x=value)


NUMBER, FRACTION = named(validation.check_number, 0, 2), named(validation.check_fraction)
INT, BOOL = named(validation.check_int, 1), named(validation.check_bool)
CHOICE = named(validation.check_choice, ("a", "b"))
POSITIVE, NON_NEGATIVE = named(validation.check_positive), named(validation.check_non_negative)
MOMENTUM, STEPS = named(validation.check_momentum), named(validation.check_steps)
NUMBER_OR_SCHEDULE = named(validation.check_schedule)
POSITIVE_NUMBER = named(validation.check_positive_number)
POSITIVE_SCHEDULE = named(validation.check_positive_schedule)
OPTIONAL_SCHEDULE = named(validation.check_optional_schedule)
INTERVAL = named(validation.check_interval, 0, 1)
OPEN_INTERVAL = named(validation.check_interval, 0, exclusive=True)
SHAPE, NOT_EMPTY = named(validation.check_shape, (None, 4)), named(validation.check_not_empty)
MATRIX = named(validation.check_matrix)

ACCEPTED = [
    (INT, [1, 5, np.int64(2)]),
    (NUMBER, [0, 2, 0.5, np.float32(1)]),
    (FRACTION, [0, 1, 0.5]),
    (BOOL, [True, False, np.bool_(True)]),
    (CHOICE, ["a", "b"]),
    (POSITIVE, [0.1, 3, np.float32(0.5), np.array(0.5), SCHEDULE, keras.ops.ones(())]),
    (NON_NEGATIVE, [0, 0.1, SCHEDULE]),
    (NUMBER_OR_SCHEDULE, [-1, 0.5, SCHEDULE]),
    (POSITIVE_NUMBER, [0.1, 3, np.float32(0.5)]),
    (POSITIVE_SCHEDULE, [0.1, 3, SCHEDULE]),
    (MOMENTUM, [0, 0.99, 1, SCHEDULE]),
    (OPTIONAL_SCHEDULE, [None, 0, 0.5, SCHEDULE]),
    (STEPS, [0, 100, 0.0, 0.5, 1.0]),
    (validation.check_seed, [0, -(2**31), 2**31 - 1]),
    (INTERVAL, [(0, 1), [0.2, 0.2]]),
    (OPEN_INTERVAL, [(0.1, 50)]),
    (validation.as_size, [8, (8, 12), [8, 12]]),
    (check_view_sequence, [None, (abs, abs), [abs, abs, abs]]),
    (MATRIX, [ROWS]),
    (NOT_EMPTY, [ROWS, np.ones(3)]),
    (SHAPE, [ROWS, np.ones((1, 4))]),
    (check_threshold, [0.5, -3, np.ones(6)]),
]
REJECTED = [
    (INT, TypeError, "`x` must be an int, received", [2.0, True, "1", None]),
    (INT, ValueError, "`x` must be at least 1, received", [0, -1]),
    (NUMBER, TypeError, "`x` must be a number, received", ["1", True, None, (1,)]),
    (NUMBER, ValueError, r"`x` must be in 0\.\.2, received", [-0.1, 2.1]),
    (NUMBER, ValueError, "`x` must be a finite number, received", [NAN, INFINITY]),
    (FRACTION, TypeError, "`x` must be a number, received", [None, False]),
    (FRACTION, ValueError, r"`x` must be in 0\.\.1, received", [-0.1, 2]),
    (BOOL, TypeError, "`x` must be a bool, received", [0, 1, None, "yes"]),
    (CHOICE, ValueError, r"`x` must be one of \('a', 'b'\), received", ["c", None, 1]),
    (POSITIVE, TypeError, "`x` must be a number above 0, received", [None, "1", True, (1,)]),
    (POSITIVE, ValueError, "`x` must be a finite number above 0, received", [0, -1, NAN, 1e-45]),
    (POSITIVE, ValueError, "`x` must be one number above 0, received", [np.ones(2)]),
    (NON_NEGATIVE, TypeError, "`x` must be a number, at least 0, received", [None, False]),
    (NON_NEGATIVE, ValueError, "`x` must be a finite number, at least 0", [-0.1, INFINITY]),
    (NUMBER_OR_SCHEDULE, TypeError, "`x` must be a number or a keras.*Schedule", [None, True]),
    (POSITIVE_NUMBER, TypeError, "`x` must be a number, received", [SCHEDULE, None, True]),
    (POSITIVE_NUMBER, ValueError, "`x` must be a finite number above 0, received", [0, -1]),
    (POSITIVE_SCHEDULE, TypeError, "`x` must be a number or a keras.*Schedule", [None, True]),
    (POSITIVE_SCHEDULE, ValueError, "`x` must be a finite number above 0, received", [0, NAN]),
    (MOMENTUM, TypeError, "`x` must be a number or a keras.*Schedule", ["0.9", None]),
    (MOMENTUM, ValueError, r"`x` must be in 0\.\.1, received", [-0.1, 1.1, NAN]),
    (OPTIONAL_SCHEDULE, TypeError, "`x` must be a number or a keras.*Schedule", ["1", True]),
    (OPTIONAL_SCHEDULE, ValueError, "`x` must be a finite number, at least 0", [-1, NAN]),
    (STEPS, TypeError, r"`x` must be an int >= 0 \(steps\) or a float", ["1", None, True]),
    (STEPS, ValueError, r"`x` must be an int >= 0 \(steps\) or a float", [-1, 1.5, NAN]),
    (validation.check_seed, TypeError, "`seed` must be an int, received", [1.0, "a", None, True]),
    (validation.check_seed, ValueError, "`seed` must fit into 32 bits, received", [2**31]),
    (INTERVAL, TypeError, "`x` must be a pair", [1, (1,), (0, "1"), None]),
    (INTERVAL, ValueError, "`x` must be a pair .* from 0 to 1", [(0.5, 0.1), (0, 2), (0, NAN)]),
    (OPEN_INTERVAL, ValueError, "`x` must be a pair .* above 0", [(0, 1), (1, INFINITY)]),
    (validation.as_size, ValueError, "`size` must be an int above 0", [0, 8.5, True, (8, 8, 3)]),
    (check_view_sequence, TypeError, "`views` must be a sequence of views", [3, abs, (1, 2)]),
    (check_view_sequence, ValueError, "`views` must have .* at least 2, received 1", [(abs,)]),
    (MATRIX, ValueError, r"`x` must have shape \(batch, dim\), received \(6,\)", [np.ones(6)]),
    (MATRIX, ValueError, r"`x` is empty: it has shape \(0, 4\)", [ROWS[:0]]),
    (NOT_EMPTY, ValueError, r"`x` is empty: it has shape \(0,\)", [np.ones(0)]),
    (SHAPE, ValueError, r"`x` must have shape \(None, 4\), received", [ROWS.T, np.ones(4)]),
    (check_threshold, TypeError, "`threshold` must be a number, received", [None, "1"]),
    (check_threshold, ValueError, r"`threshold` must have shape \(6,\)", [np.ones(5)]),
]


@pytest.mark.parametrize(
    ("check", "value"), [(check, value) for check, values in ACCEPTED for value in values]
)
def test_a_check_accepts_a_valid_value(check, value):
    check(value)


@pytest.mark.parametrize(
    ("check", "error", "message", "value"),
    [(*case, value) for *case, values in REJECTED for value in values],
)
def test_a_check_rejects_an_invalid_value(check, error, message, value):
    with pytest.raises(error, match=message):
        check(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), (np.float32(0.5), True), (NAN, True), (True, False), ("1", False)],
)
def test_is_number_is_true_for_numbers_but_not_for_bools(value, expected):
    assert validation.is_number(value) == expected


def test_as_size_returns_a_pair():
    assert validation.as_size(8) == (8, 8)
    assert validation.as_size([8, 12]) == (8, 12)


def test_check_same_shape_accepts_unknown_sizes_and_names_all_tensors_that_differ():
    unknown = keras.KerasTensor((None, 4))
    validation.check_same_shape(a=ROWS, b=unknown, c=ROWS)
    with pytest.raises(ValueError, match=r"received a \(6, 4\), b \(None, 4\), c \(5, 4\)"):
        validation.check_same_shape(a=ROWS, b=unknown, c=ROWS[:5])

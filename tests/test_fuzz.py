"""Public functions accept any value of an argument or raise an error that names the argument."""

import inspect
import os

import fuzz_cases
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("KERAS_SSL_FUZZ", "6"))  # for each argument; 200 take long
ODD = [None, True, False, "", "x", "0.5", b"x", (), [], {}, object(), [1, 2], (0.5, 0.25), (1,)]
ODD += [(0.25, 0.5), (1, 2, 3), (3, 2), float("nan"), float("inf"), -float("inf"), 1e-45, -0.5]
ODD += [0, 1, -1, 2, 3, 0.5, 1.0, 1.5, np.float32(0.5), np.int64(2), np.zeros(2), np.zeros((0, 4))]
ODD += [np.ones((6, 4), "float32"), np.ones((5, 4)), np.ones((6, 4), "int32")]
VALUES = st.one_of(
    st.sampled_from(ODD), st.integers(-3, 12), st.floats(-2, 20, width=32), st.text(max_size=3)
)


def arguments():
    """Yields parameters of pytest: the name of a function, and one of its arguments.

    `tests/models/test_arguments.py` covers invalid arguments of the methods, so these are slow
    cases with little to add.
    """
    for name, case in fuzz_cases.CASES.items():
        known = dict(case.given)
        try:
            parameters = inspect.signature(case.function).parameters.values()
        except ValueError:
            parameters = ()
        kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        known |= {p.name: None for p in parameters if p.kind not in kinds and p.name != "name"}
        known |= dict.fromkeys(case.also)
        for argument in known:
            marks = [pytest.mark.slow] if case.slow else []
            yield pytest.param(name, argument, marks=marks)


def find_fault(case, argument, value):
    """Calls a function with one argument replaced. Returns what is wrong, or None."""
    try:
        result = case.function(**{**case.given, argument: value})
        outputs = case.use(result) if case.use else ()
    except (TypeError, ValueError, FileNotFoundError) as error:
        return None if argument in str(error) else f"the error does not name it: {error!r}"
    except Exception as error:
        return f"raises {type(error).__name__}: {str(error)[:300]}"
    for output in map(np.asarray, keras.tree.flatten(outputs)):
        if output.dtype.kind == "f" and not np.all(np.isfinite(output)):
            return "the result is not finite"
    return None


@pytest.mark.parametrize(("name", "argument"), list(arguments()))
def test_an_argument_works_or_is_named_in_an_error(name, argument):
    case = fuzz_cases.CASES[name]
    if argument in case.given:
        fault = find_fault(case, argument, case.given[argument])
        assert fault is None, "the case itself does not work"

    @settings(
        max_examples=EXAMPLES if not case.slow else -(-EXAMPLES // 2),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(VALUES)
    def check(value):
        fault = find_fault(case, argument, value)
        assert fault is None, f"{name}({argument}={value!r}): {fault}"

    check()

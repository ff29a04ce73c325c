"""Every method rejects every invalid argument, by its name, before anything is built."""

import method_checks as checks
import pytest
from method_spec import INVALID


def is_rejected(spec, networks, argument, value):
    """Returns whether the constructor raises an error that names the argument."""
    try:
        spec.method(*networks, **{**spec.settings, argument: value})
    except (TypeError, ValueError) as error:
        return f"`{argument}`" in str(error)
    return False


@pytest.mark.parametrize("name", checks.specs())
def test_invalid_values_of_every_argument_are_rejected_by_name(name):
    spec = checks.specs()[name]
    networks = spec.networks(checks.small_encoder())
    invalid = {}
    for form in checks.specs().values():
        if form.method is spec.method:
            invalid |= form.invalid_values
    invalid = {**INVALID, **invalid}
    accepted = [
        (argument, value)
        for argument in spec.arguments()
        for value in invalid[argument]
        if not is_rejected(spec, networks, argument, value)
    ]
    assert accepted == []

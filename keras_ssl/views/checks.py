"""What views ask of their arguments."""

import math


def is_number(value):
    """Whether a value is a finite Python number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value):
    """Whether a value is an int above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def count(name, value, least):
    """Returns an int that is at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an int, received {value!r}.")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}, received {value!r}.")
    return value


def number(name, value, low, high=math.inf):
    """Returns a number that lies in `low..high`."""
    if not is_number(value):
        raise TypeError(f"`{name}` must be a number, received {value!r}.")
    if not low <= value <= high:
        accepted = f"at least {low}" if high == math.inf else f"in {low}..{high}"
        raise ValueError(f"`{name}` must be {accepted}, received {value!r}.")
    return value


def probability(value):
    """Returns a probability."""
    return number("probability", value, 0, 1)


def interval(name, value, low, high=math.inf, *, above=False):
    """Returns a pair `(smallest, largest)` within `low..high` as a tuple.

    Args:
        name: What errors call it.
        value: Tuple or list of two numbers.
        low: Number.
        high: Number.
        above: Bool; True where `low` itself is not accepted.
    """
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not all(map(is_number, value)):
        raise TypeError(f"`{name}` must be a pair (smallest, largest), received {value!r}.")
    smallest, largest = value
    if not low <= smallest <= largest <= high or (above and smallest == low):
        limits = f"{'above' if above else 'from'} {low}"
        limits += "" if high == math.inf else f" to {high}"
        raise ValueError(
            f"`{name}` must be a pair (smallest, largest) {limits}, in this order, received "
            f"{value!r}."
        )
    return tuple(value)


def size(value, name="size"):
    """Returns an image size, an int or a pair, as `(height, width)`."""
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(map(is_integer, pair)):
        raise ValueError(
            f"`{name}` must be an int above 0, or a pair (height, width) of them, received "
            f"{value!r}."
        )
    return tuple(pair)

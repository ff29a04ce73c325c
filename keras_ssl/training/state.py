"""State that Keras does not save or freeze on its own: random seeds and EMA copies."""

from keras import ops

from keras_ssl import layers

_RANDOM = "random_"  # prefix of the names of random states among the saved variables


def save_random_states(model, store):
    """Adds the states of dropout and other random layers, which Keras leaves out of a file."""
    for index, state in enumerate(_random_states(model)):
        store[f"{_RANDOM}{index}"] = ops.convert_to_numpy(state)


def load_random_states(model, store):
    """Assigns the states that `save_random_states` saved; returns the store without them."""
    values = {name: store[name] for name in store.keys()}  # noqa: SIM118
    saved = {name: values.pop(name) for name in list(values) if name.startswith(_RANDOM)}
    for index, state in enumerate(_random_states(model)):
        if f"{_RANDOM}{index}" in saved:
            state.assign(saved[f"{_RANDOM}{index}"])
    return values


def _random_states(model):
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def freeze_copies(model, names):
    """Freezes the EMA copies of a model again after `trainable` was set on all of it."""
    for name in names:
        layers.freeze(getattr(model, name))

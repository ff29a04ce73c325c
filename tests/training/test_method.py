"""The base class of all methods."""

import inspect

import keras
import numpy as np
import pytest
from processes import run_python

import keras_ssl
from keras_ssl.training.method import Method


def methods():
    public = [getattr(keras_ssl, name) for name in keras_ssl.__all__]
    return [x for x in public if inspect.isclass(x) and issubclass(x, Method)]


@pytest.mark.parametrize("method", methods())
def test_method_has_at_most_three_classes_between_it_and_keras(method):
    classes = [x for x in method.__mro__ if x.__module__.startswith("keras_ssl")]
    assert len(classes) <= 3, classes


@pytest.mark.parametrize("method", methods())
def test_method_hides_no_attribute_of_keras(method):
    # Documented overrides of Keras, and the data formats of the methods.
    overridden = {"call", "compile", "compile_from_config", "evaluate", "export", "fit"}
    overridden |= {"from_config", "get_compile_config", "get_config", "get_metrics_result"}
    overridden |= {"load_own_variables", "predict", "save_own_variables", "test_step"}
    overridden |= {"train_step", "trainable"}
    names = {
        name for x in method.__mro__ if x.__module__.startswith("keras_ssl") for name in vars(x)
    }
    public = {name for name in names if not name.startswith("_")}
    assert public & set(dir(keras.Model)) <= overridden


def test_creating_a_method_that_does_not_store_an_argument_raises():
    class Forgetful(keras_ssl.SelfSupervisedModel):
        def __init__(self, encoder, *, strength=1.0, **kwargs):
            super().__init__(encoder, **kwargs)

    encoder = keras_ssl.encoders.small_resnet((8, 8, 3), width=4)
    with pytest.raises(AttributeError, match=r"Add `self\.strength = strength`"):
        Forgetful(encoder)


def test_a_subclass_may_store_its_arguments_after_the_constructor_of_its_base():
    class Base(keras_ssl.SelfSupervisedModel):
        def __init__(self, encoder, *, strength=1.0, **kwargs):
            super().__init__(encoder, **kwargs)
            self.strength = strength

    class Derived(Base):
        def __init__(self, encoder, *, power=2.0, **kwargs):
            super().__init__(encoder, **kwargs)
            self.power = power

    model = Derived(keras_ssl.encoders.small_resnet((8, 8, 3), width=4), strength=3.0)
    config = model.get_config()
    assert (config["strength"], config["power"]) == (3.0, 2.0)


@pytest.mark.slow
def test_step_for_raises_on_the_torch_backend():
    script = (
        "import sys, types\n"
        "import keras\n"
        "keras.backend.backend = lambda: 'torch'\n"
        "import keras_ssl\n"
        "from keras_ssl.training.step import step_for\n"
        "try:\n"
        "    step_for(None)\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    assert "The backend is 'torch': set KERAS_BACKEND=tensorflow" in run_python(script)


@pytest.mark.slow
def test_evaluate_works_in_a_callback_of_fit_with_validation_data(rng):
    images = rng.integers(0, 256, (8, 8, 8, 3), "uint8")
    model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((8, 8, 3), width=4), projector=(4,))
    model.compile("sgd")
    losses = []
    evaluate = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: losses.append(model.evaluate(images, verbose=0))
    )
    model.fit(images, batch_size=4, validation_data=images, callbacks=[evaluate], verbose=0)
    assert np.isfinite(losses).all()

"""What all methods share, whatever their family."""

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
def test_a_method_has_at_most_three_classes_of_ours_above_keras(method):
    ours = [x for x in method.__mro__ if x.__module__.startswith("keras_ssl")]
    assert len(ours) <= 3, ours


@pytest.mark.parametrize("method", methods())
def test_a_method_hides_no_attribute_of_keras(method):
    # What Keras documents for subclasses to override, and what is a method's own data format.
    overridden = {"call", "compile", "compile_from_config", "evaluate", "export", "fit"}
    overridden |= {"from_config", "get_compile_config", "get_config", "get_metrics_result"}
    overridden |= {"load_own_variables", "predict", "save_own_variables", "test_step"}
    overridden |= {"train_step", "trainable"}
    ours = {
        name for x in method.__mro__ if x.__module__.startswith("keras_ssl") for name in vars(x)
    }
    public = {name for name in ours if not name.startswith("_")}
    assert public & set(dir(keras.Model)) <= overridden


def test_an_argument_that_is_not_stored_is_found_when_the_model_is_created():
    class Forgetful(keras_ssl.SelfSupervisedModel):
        def __init__(self, encoder, *, strength=1.0, **kwargs):
            super().__init__(encoder, **kwargs)

    encoder = keras_ssl.encoders.small_resnet((8, 8, 3), width=4)
    with pytest.raises(AttributeError, match=r"Add `self\.strength = strength`"):
        Forgetful(encoder)


def test_arguments_stored_by_a_subclass_after_its_base_are_accepted():
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


def test_models_raise_on_the_torch_backend():
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


def test_evaluate_in_a_callback_of_fit_prepares_its_own_data(rng):
    images = rng.integers(0, 256, (8, 8, 8, 3), "uint8")
    model = keras_ssl.SimCLR(keras_ssl.encoders.small_resnet((8, 8, 3), width=4), projector=(4,))
    model.compile("sgd")
    losses = []
    evaluate = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: losses.append(model.evaluate(images, verbose=0))
    )
    model.fit(images, batch_size=4, validation_data=images, callbacks=[evaluate], verbose=0)
    assert np.isfinite(losses).all()

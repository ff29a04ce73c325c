"""Properties of every recipe: its options, its command line and the model that it builds."""

import dataclasses
import inspect
import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from recipe_checks import ALL, RECIPES, TINY, load, names_with

from keras_ssl import data
from keras_ssl.recipes import base, pretraining, semi_supervised

SHAPE = (8, 8, 1)
# Options that make a recipe fast, or that select other lines of its `build`.
VARIANTS = [
    ("clip", {"text_width": 16, "text_depth": 1}),
    ("dino", {"prototypes": 64}),
    ("dinov2", {"prototypes": 64}),
    ("emp_ssl", {"patches": 3}),
    ("moco", {"queue_size": 64}),
    ("moco", {"version": 3}),
    ("simsiam", {"constant_predictor_rate": False}),
]
VARIANTS += [(name, {}) for name in names_with(pretraining.Config) if name not in dict(VARIANTS)]
SEMI_SUPERVISED = [n for n in names_with(semi_supervised.Config) if hasattr(load(n), "build")]


def images_and_labels(count=8):
    images = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype="uint8")
    return tf.data.Dataset.from_tensor_slices((images, np.arange(count) % 2))


def build(name, **options):
    """Returns the model, its views and the config of a self-supervised recipe, without a graph."""
    recipe = load(name)
    config = recipe.Config(epochs=2, batch_size=4, **TINY, **options)
    model, views = recipe.build(config, SHAPE, total_steps=4)
    model.run_eagerly = True
    return model, views, config


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_self_supervised_recipe_builds_a_model_that_trains_on_its_views(name, options):
    model, views, config = build(name, **options)
    dataset = images_and_labels(4)
    if name == "clip":
        x, y = data.make_views(load(name).add_captions(config, dataset), views, 4), None
    else:  # made here, because a trace of the views takes seconds
        images, y = next(iter(dataset.batch(4)))
        x = tuple(view(images, (0, i)).numpy() for i, view in enumerate(views))
    history = model.fit(x, y, batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert int(model.optimizer.iterations) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SEMI_SUPERVISED)
def test_a_semi_supervised_recipe_builds_a_model_that_trains_on_its_views(name):
    recipe = load(name)
    config = recipe.Config(batch_size=2, unlabeled_ratio=2, **TINY)
    model, (weak, strong) = recipe.build(config, SHAPE, num_classes=2, total_steps=2)
    model.run_eagerly = True
    expected_weak, expected_strong = semi_supervised.views(config, SHAPE)
    assert weak == expected_weak
    assert strong == (expected_weak if name == "mean_teacher" else expected_strong)
    images = images_and_labels(4)
    # RandAugment takes seconds to trace; the whole run of FixMatch does so.
    dataset = data.semi_supervised(images, images, 2, 2, weak=weak, strong=weak)
    history = model.fit(dataset, verbose=0).history
    terms = {"loss", "supervised_loss", "unsupervised_loss", "mask_rate", "threshold", "accuracy"}
    assert all(np.isfinite(history[term]).all() for term in terms)
    assert int(model.optimizer.iterations) == 1


def test_every_recipe_is_built_or_run_by_a_test():
    built = {name for name, _ in VARIANTS} | set(SEMI_SUPERVISED)
    assert set(ALL) == built | {"pretrain_then_fixmatch", "reclip"}


@pytest.mark.parametrize("name", ALL)
def test_the_help_of_a_recipe_explains_every_option(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as finished:
        runpy.run_path(str(RECIPES / f"{name}.py"), run_name="__main__")
    assert finished.value.code == 0
    printed = capsys.readouterr().out
    assert f"python recipes/{name}.py" in printed
    config_class = load(name).Config
    documentation = "\n".join(inspect.getdoc(parent) for parent in config_class.__mro__[:-1])
    for field in dataclasses.fields(config_class):
        assert f"--{field.name.replace('_', '-')} " in printed.replace(",", " ")
        assert f"    {field.name}: " in documentation, f"{name} does not explain {field.name}"


def test_every_recipe_takes_the_shared_options_and_writes_to_its_own_directory():
    for name in ALL:
        config = load(name).Config()
        assert isinstance(config, base.Config)
        assert config.output == Path("runs") / name
        for option in ("epochs", "batch_size", "learning_rate"):
            assert hasattr(config, option), f"{name} has no option {option}"


@pytest.mark.slow
def test_schedules_and_the_momentum_encoder_survive_a_checkpoint(tmp_path):
    model, views, _ = build("dino", prototypes=64)
    dataset = data.make_views(images_and_labels(), views, 4)
    model.fit(dataset, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    for resumed in (model, loaded):
        resumed.fit(dataset, epochs=2, initial_epoch=1, verbose=0)
    assert int(loaded.optimizer.iterations) == 4
    weights = [*model.variables, *model.optimizer.variables]
    loaded_weights = [*loaded.variables, *loaded.optimizer.variables]
    for weight, loaded_weight in zip(weights, loaded_weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), loaded_weight.numpy(), err_msg=weight.path)


def test_emp_ssl_evaluates_the_mean_of_its_patches_unless_told_not_to():
    assert load("emp_ssl").Config().averages_views
    assert not load("emp_ssl").Config(average_patches=False).averages_views
    assert not load("simclr").Config().averages_views


def test_mae_plots_reconstructions(tmp_path):
    model, views, config = build("mae", output=tmp_path)
    load("mae").plot_reconstructions(config, model, views, images_and_labels())
    assert (tmp_path / "reconstructions.png").stat().st_size > 0


def test_supervised_ignores_unlabeled_images_and_loads_from_a_file(tmp_path):
    recipe = load("supervised")
    config = recipe.Config(batch_size=2, unlabeled_ratio=2, **TINY)
    model, (weak, _) = recipe.build(config, SHAPE, num_classes=2, total_steps=2)
    model.run_eagerly = True
    dataset = data.semi_supervised(
        images_and_labels(4), images_and_labels(), 2, 2, weak=weak, strong=weak
    )
    history = model.fit(dataset, verbose=0).history
    assert history["unsupervised_loss"] == history["mask_rate"] == [0.0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.zeros((2, *SHAPE), "float32")
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )

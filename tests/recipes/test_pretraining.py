"""The options and the steps that the recipes share."""

import dataclasses
import json
import typing
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_ssl import encoders
from keras_ssl.recipes import base, pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    output: Path = Path("runs/test")
    temperature: float = 0.5


def test_configs_compare_by_their_options_and_cannot_change():
    config = Config()
    assert (config.dataset, config.encoder, config.precision) == (
        "digits",
        "small_resnet",
        "float32",
    )
    assert dataclasses.replace(config, seed=1) != config == Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 2


def test_a_config_gives_the_options_of_another():
    shared = Config(seed=3, temperature=0.1, epochs=7).options_of(base.Config)
    assert set(shared) == {field.name for field in dataclasses.fields(base.Config)}
    assert (shared["seed"], shared["output"]) == (3, Path("runs/test"))


def test_views_flip_all_images_but_digits():
    assert not Config().flip
    assert Config(dataset="cifar10").flip
    assert Config(dataset="photos/digits").flip


def test_setup_sets_seed_and_precision_and_the_data_is_loaded(tmp_path):
    config = Config(tmp_path / "run", precision="mixed_bfloat16", seed=3)
    base.setup(config)
    train, test = base.load_data(config)
    assert (int(train.cardinality()), int(test.cardinality())) == (1437, 360)
    assert base.image_shape(train) == base.image_shape(test) == (8, 8, 1)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    first = keras.random.normal((4,), seed=keras.random.SeedGenerator())
    base.setup(config)
    second = keras.random.normal((4,), seed=keras.random.SeedGenerator())
    np.testing.assert_array_equal(first, second)


def test_a_mistake_in_the_options_leaves_no_directory(tmp_path):
    config = Config(tmp_path / "run", dataset="nowhere")
    with pytest.raises(ValueError, match="nowhere"):
        pretraining.run(config, build=None)
    assert not config.output.exists()


def test_a_run_resumes_only_with_the_same_options(tmp_path):
    config = Config(tmp_path, epochs=3)
    base.open_run_dir(config)
    saved = json.loads((tmp_path / "config.json").read_text())
    names = {field.name for field in dataclasses.fields(Config)}
    assert set(saved) == names - set(base.NOT_SAVED)
    assert (saved["epochs"], saved["temperature"], saved["dataset"]) == (3, 0.5, "digits")
    base.setup(config)
    base.setup(dataclasses.replace(config, baselines=False, data_dir=tmp_path, save_steps=1))
    message = (
        r"holds a run with other settings: seed was 0 and is 1; temperature was 0\.5 and is "
        r"0\.1\. Choose another folder"
    )
    with pytest.raises(ValueError, match=message):
        base.setup(dataclasses.replace(config, seed=1, temperature=0.1))


def test_images_of_a_directory_are_resized(tmp_path, rng):
    for i in range(12):
        picture = Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype="uint8"))
        picture.save(tmp_path / f"{i}.png")
    train, _ = base.load_data(Config(dataset=str(tmp_path), image_size=16))
    assert base.image_shape(train) == (16, 16, 3)


@pytest.mark.parametrize(
    ("size", "kernel"), [((32, 32), 3), ((63, 200), 3), ((64, 64), 7), ((200, 64), 7)]
)
def test_resnets_have_a_stem_that_fits_the_images(size, kernel):
    encoder = pretraining.encoder(Config(encoder="resnet18"), (*size, 1))
    assert encoder.weights[0].shape == (kernel, kernel, 1, 64)


# These need more than the options of a recipe.
NOT_AN_OPTION = {"keras_application", "keras_hub", "keras_hub_clip", "text_transformer", "vit"}


def test_every_encoder_is_an_option():
    names = typing.get_args(typing.get_type_hints(Config)["encoder"])
    assert set(names) == set(encoders.__all__) - NOT_AN_OPTION
    for size, patch_size in ((8, 2), (28, 4), (32, 4), (100, 10), (224, 16)):
        config = Config(encoder="vit_tiny", width=12, depth=1)
        assert pretraining.encoder(config, (size, size, 3)).patch_size == patch_size
    encoder = pretraining.encoder(Config(encoder="wide_resnet"), (8, 8, 1))
    assert encoder.output_shape == (None, 128)


@pytest.mark.parametrize(
    ("option", "size"), [("patch_size", 4), ("width", 6), ("depth", 2), ("heads", 2)]
)
def test_sizes_apply_to_vision_transformers_only(option, size):
    with pytest.raises(ValueError, match=f"`{option}` applies to vision transformers only"):
        pretraining.encoder(Config(**{option: size}), (8, 8, 1))
    config = Config(encoder="vit_tiny", **{"depth": 1, "width": 12, option: size})
    assert getattr(pretraining.encoder(config, (8, 8, 1)), option) == size


def test_a_vision_transformer_is_small_unless_the_encoder_is_one():
    small = pretraining.vit(Config(), (8, 8, 1))
    assert (small.width, small.depth, small.heads) == (48, 3, 3)
    tiny = pretraining.vit(Config(encoder="vit_tiny", depth=1), (8, 8, 1), registers=1)
    assert (tiny.width, tiny.depth, tiny.heads, tiny.registers) == (192, 1, 3, 1)


def test_the_last_partial_batch_is_no_step():
    train = tf.data.Dataset.range(10)
    assert base.count_steps(train, 3, 4) == 6
    assert base.count_steps(train, 1, 10) == 1
    with pytest.raises(ValueError, match=r"training images, 10\. Received 11\."):
        base.count_steps(train, 3, 11)
    with pytest.raises(ValueError, match="`epochs` must be at least 1, received 0"):
        base.count_steps(train, 0, 4)


def test_learning_rates_scale_with_the_batch_size_and_fall_to_zero():
    config = Config(batch_size=512, learning_rate=0.1, weight_decay=0.01)
    for optimizer in (pretraining.sgd(config, 40), pretraining.adamw(config, 40)):
        assert optimizer.weight_decay == 0.01
        schedule = optimizer._learning_rate
        assert [float(schedule(step)) for step in (0, 40)] == pytest.approx([0.2, 0.0], abs=1e-7)
    schedule = pretraining.adamw(config, 40, warmup=True, clipnorm=3.0)._learning_rate
    rates = [float(schedule(step)) for step in (0, 2, 4, 40)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.0], abs=1e-7)

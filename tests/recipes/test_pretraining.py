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
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run

SETTINGS = {"epochs": 3, "temperature": 0.5}


def test_a_run_differs_from_another_by_its_options_only():
    run = Run(Path("here"))
    assert (run.dataset, run.encoder, run.precision) == ("digits", "small_resnet", "float32")
    assert dataclasses.replace(run, seed=1) != run == Run(Path("here"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.seed = 2


def test_views_mirror_all_but_digits():
    assert not Run(Path("here")).flip
    assert Run(Path("here"), dataset="cifar10").flip
    assert Run(Path("here"), dataset="photos/digits").flip


def test_start_loads_the_images_and_sets_seed_and_precision(tmp_path):
    run = Run(tmp_path / "run", precision="mixed_bfloat16", seed=3)
    train, test = pretraining.start(run, SETTINGS)
    assert (int(train.cardinality()), int(test.cardinality())) == (1437, 360)
    assert pretraining.image_shape(train) == pretraining.image_shape(test) == (8, 8, 1)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    drawn = keras.random.normal((4,), seed=keras.random.SeedGenerator())
    pretraining.start(run, SETTINGS)
    again = keras.random.normal((4,), seed=keras.random.SeedGenerator())
    np.testing.assert_array_equal(drawn, again)


def test_a_mistake_in_the_options_leaves_no_folder_that_refuses_the_right_ones(tmp_path):
    output = tmp_path / "run"
    with pytest.raises(ValueError, match="nowhere"):
        pretraining.start(Run(output, dataset="nowhere"), SETTINGS)
    assert not output.exists()


def test_a_folder_goes_on_with_the_same_settings_only(tmp_path):
    kept = {"dataset": "digits", "seed": 0, "epochs": 3, "temperature": 0.5}
    run = Run(tmp_path)
    shared = dataclasses.asdict(run)
    del shared["output"], shared["baselines"], shared["save_steps"]
    (tmp_path / "config.json").write_text(json.dumps({**shared, **kept}))
    pretraining.start(run, {**SETTINGS, "run": run})
    pretraining.start(
        dataclasses.replace(run, baselines=False), SETTINGS
    )  # no part of what is trained
    message = (
        r"holds a run with other settings: seed was 0 and is 1; temperature was 0\.5 and is "
        r"0\.1\. Choose another folder"
    )
    with pytest.raises(ValueError, match=message):
        pretraining.start(dataclasses.replace(run, seed=1), {**SETTINGS, "temperature": 0.1})


def test_images_of_a_folder_come_in_the_size_asked_for(tmp_path, rng):
    for i in range(12):
        picture = Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype="uint8"))
        picture.save(tmp_path / f"{i}.png")
    run = Run(tmp_path / "run", dataset=str(tmp_path), image_size=16)
    train, _ = pretraining.start(run, SETTINGS)
    assert pretraining.image_shape(train) == (16, 16, 3)


@pytest.mark.parametrize(
    ("size", "kernel"), [((32, 32), 3), ((63, 200), 3), ((64, 64), 7), ((200, 64), 7)]
)
def test_resnets_take_a_stem_that_fits_the_images(size, kernel):
    encoder = pretraining.new_encoder(Run(Path("here"), encoder="resnet18"), (*size, 1))
    assert encoder.weights[0].shape == (kernel, kernel, 1, 64)


# Made of what an option cannot say.
OTHERS = {"application", "keras_hub", "keras_hub_clip", "text_transformer", "vit"}


def test_every_encoder_that_can_be_asked_for_is_there():
    names = typing.get_args(typing.get_type_hints(Run)["encoder"])
    assert set(names) == set(encoders.__all__) - OTHERS
    for size, patch in ((8, 2), (28, 4), (32, 4), (100, 10), (224, 16)):
        run = Run(Path("here"), encoder="vit_tiny")
        assert pretraining.new_encoder(run, (size, size, 3)).patch_size == patch
    encoder = pretraining.new_encoder(Run(Path("here"), encoder="wide_resnet"), (8, 8, 1))
    assert encoder.output_shape == (None, 128)


@pytest.mark.parametrize(
    ("option", "size"), [("patch_size", 4), ("width", 6), ("depth", 2), ("heads", 2)]
)
def test_sizes_of_transformers_are_taken_and_elsewhere_refused(option, size):
    with pytest.raises(ValueError, match=f"`{option}` is of vision transformers, and the encoder"):
        pretraining.new_encoder(Run(Path("here"), **{option: size}), (8, 8, 1))
    run = Run(Path("here"), encoder="vit_tiny", **{"depth": 1, "width": 12, option: size})
    assert getattr(pretraining.new_encoder(run, (8, 8, 1)), option) == size


def test_steps_leave_out_the_images_that_fill_no_batch():
    train = tf.data.Dataset.range(10)
    assert pretraining.count_steps(train, 3, 4) == 6
    assert pretraining.count_steps(train, 1, 10) == 1
    with pytest.raises(ValueError, match="`batch_size` is 11 and there are 10 training images"):
        pretraining.count_steps(train, 3, 11)
    with pytest.raises(ValueError, match="`epochs` must be an int of 1 or more, received 0"):
        pretraining.count_steps(train, 0, 4)

"""Adds a toy method to a copy of the project by the steps of CONTRIBUTING.md."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
LOSS = '''"""The toy loss."""

from keras import ops

from keras_ssl._types import Tensor
from keras_ssl.numerics import as_float, mean
from keras_ssl.validation import check_same_shape


def toy(z1: Tensor, z2: Tensor, directions: Tensor, spread: float = 1.0) -> Tensor:
    """Squared distance of the views, plus the distance of their projected variance from 1.

    Args:
        z1: Float tensor `(B, D)`.
        z2: Float tensor `(B, D)`.
        directions: Float tensor `(D, K)`, random directions.
        spread: Float >= 0, the weight of the second term.

    Returns:
        Scalar >= 0. If all rows are equal it is `spread`.

    Source:
        This test.
    """
    check_same_shape(z1=z1, z2=z2)
    z1, z2 = as_float(z1, "z1"), as_float(z2, "z2")
    z = ops.matmul(ops.concatenate([z1, z2], axis=0), ops.cast(directions, z1.dtype))
    variance = mean(ops.square(z - mean(z, axis=0)), axis=0)
    distance = mean(ops.sum(ops.square(z1 - z2), axis=1))
    return distance + spread * mean(ops.square(variance - 1.0))
'''
MODEL = '''"""The toy method."""

import keras

from keras_ssl import distribute, layers, views
from keras_ssl._types import Head, Views
from keras_ssl.losses.toy import toy
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_non_negative, check_number


@keras.saving.register_keras_serializable("keras_ssl")
class Toy(SelfSupervisedModel):
    """Toy: views agree, and spread along random directions.

    Use it in a test. `fit` logs `loss`.

    Args:
        encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        projector: Tuple of widths, or a keras layer.
        spread: Float >= 0, the weight of the spread.
        **kwargs: See `SelfSupervisedModel`.

    Raises:
        ValueError: If `spread` is below 0.
        TypeError: If an argument has the wrong type.

    Source:
        This test.
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        projector: Head = (128, 64),
        spread: float = 1.0,
        **kwargs,
    ):
        check_number(spread=spread)
        check_non_negative(spread=spread)
        super().__init__(encoder, **kwargs)
        self.projector = layers.projection_head(projector, self.feature_width)
        self.spread = spread

    def default_views(self, size: tuple[int, int]) -> Views:
        return views.simclr(size)

    def compute_losses(self, batch, training: bool):
        z1, z2 = (distribute.all_gather(self.project(x, training)) for x in batch.views)
        directions = self.random_normal("directions", (z1.shape[1], 4))
        return {"loss": toy(z1, z2, directions, self.spread)}
'''
RECIPE = '''"""Toy (this test).

    python recipes/toy.py
"""

import dataclasses
from pathlib import Path

import keras_ssl
from keras_ssl.recipes import pretraining


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of the toy method.

    Args:
        spread: Weight of the spread.
    """

    output: Path = Path("runs/toy")
    spread: float = 1.0


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.simclr(image_shape[:2], flip=config.flip)
    model = keras_ssl.models.Toy(
        pretraining.encoder(config, image_shape), spread=config.spread, views=views
    )
    model.compile(pretraining.sgd(config, total_steps))
    return model, views


if __name__ == "__main__":
    pretraining.main(Config, build)
'''
TEST = """import method_checks as checks
import numpy as np
import references
from method_spec import NEGATIVE, MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.models.Toy,
    settings={"projector": (16, 8)},
    other_values={"spread": 3.0},
    invalid_values={"spread": (*NEGATIVE, None)},
    learning_rate=2**-6,
    symmetric_in_views=True,
)


def test_the_toy_loss_matches_its_formula(float64):
    model, views = checks.make("Toy", spread=0.0), checks.two_views(16)
    z1, z2 = references.projections(model, views)
    expected = np.mean(np.sum((z1 - z2) ** 2, axis=1))
    np.testing.assert_allclose(references.one_step(model, views)["loss"], expected, rtol=1e-9)
"""


@pytest.mark.slow
def test_a_method_of_four_files_passes_the_harness_without_other_edits(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", "runs", ".git", ".venv", "*.egg-info")
    for name in ("keras_ssl", "tests", "recipes", "docs", "README.md", "pyproject.toml"):
        source = PROJECT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name, **({"ignore": ignored} if source.is_dir() else {}))
    for path, text in {
        "keras_ssl/losses/toy.py": LOSS,
        "keras_ssl/models/self_supervised/toy.py": MODEL,
        "recipes/toy.py": RECIPE,
        "tests/models/self_supervised/test_toy.py": TEST,
    }.items():
        (tmp_path / path).write_text(text)

    def run(*command):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        environment.pop("PYTEST_ADDOPTS", None)
        completed = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert completed.returncode == 0, completed.stdout[-3000:] + completed.stderr[-2000:]
        return completed.stdout

    run("docs/generate.py")
    assert "[Toy](recipes/toy.py)" in (tmp_path / "README.md").read_text()
    run("recipes/toy.py", "--help")
    output = run(
        *("-m", "pytest", "-n", "0", "-m", "", "-k", "Toy or toy"),
        *("tests/models/test_methods.py", "tests/models/test_arguments.py"),
        "tests/models/self_supervised/test_toy.py",
    )
    assert int(re.search(r"(\d+) passed", output)[1]) >= 10, output

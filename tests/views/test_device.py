"""Views in a training step equal those of the input pipeline."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ssl import views
from keras_ssl.views.backend import device_views
from keras_ssl.views.device import find_host_views

SEED = np.array([3, 7], "int32")
VIEWS = {
    "simclr": (views.simclr(64)[0], (70, 66)),  # crop, flip, colors, grayscale and blur
    "byol": (views.byol(32)[1], (32, 32)),  # solarization too
    "fast colors": (views.fast_colors(views.simclr(32))[0], (32, 32)),
    "weak": (views.fixmatch_weak(16), (16, 16)),
    "strong": (views.fixmatch_strong((16, 12)), (16, 12)),
    "cutout": (views.Cutout(6), (16, 12)),
    "mask": (views.RandomMask(4), (16, 16)),
    "blocks": (views.BlockMask(8), (16, 16)),
}


def in_pipeline(view, images):
    """The view of a batch that tf.data computes."""
    dataset = tf.data.Dataset.from_tensors(images).map(lambda batch: view(batch, SEED))
    return next(iter(dataset)).numpy()


def in_step(view, images):
    """The view of a batch in a function that the backend compiles."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(view.__call__)(images, SEED))
    with device_views():
        compiled = tf.function(view, jit_compile=True, autograph=False)
        return compiled(tf.constant(images), tf.constant(SEED)).numpy()


def test_all_views_of_papers_run_on_the_device():
    pairs = (views.fixmatch_weak(8), views.fixmatch_strong(8))
    two = (views.simclr, views.byol, views.simsiam, views.barlow_twins, views.vicreg)
    others = (views.swav, views.dino, views.emp_ssl)
    presets = [preset(8) for preset in (*two, *others)]
    presets += [views.dinov2(8, patch_size=2), views.mae(8, patch_size=2), views.clip(8), pairs]
    for preset in presets:
        assert find_host_views(preset) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_views_in_the_step_equal_those_of_the_pipeline(name, channels, rng):
    view, size = VIEWS[name]
    images = rng.integers(0, 256, (24, *size, channels), dtype="uint8")
    expected = in_pipeline(view, images)
    found = in_step(view, images)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=2e-5)

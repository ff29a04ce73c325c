"""Augmentation layers of Keras and KerasCV as views."""

import contextlib
import dataclasses
import functools
import json
import random
import re
import threading

import keras
import numpy as np

from keras_ssl import _internals
from keras_ssl import _tensorflow as tf
from keras_ssl.views.base import View, fold_in

# Operations that draw from a state or write to one.
STATEFUL = re.compile(
    r"Random(?!IndexShuffle)|Stateful(?!PartitionedCall)|Rng|Multinomial|TruncatedNormal"
    r"|ParameterizedTruncatedNormal|Assign|EagerPyFunc|PyFunc"
)
LOCK = threading.RLock()  # only one trace at a time may replace the generators of a layer


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True, eq=False)
class KerasLayer(View):
    """Applies an augmentation layer of `keras.layers` or `keras_cv.layers`.

    The seed of the call replaces the random generators of the layer. They are neither used nor
    changed, so the layer's own `seed` has no effect. The layer receives one image at a time, as a
    batch of one. Each image therefore gets its own random numbers, even if the layer draws once
    for a batch, as `keras.layers.RandomCrop` does. This is slow: prefer a view of
    `keras_ssl.views` if one does the same.

    A layer with a `value_range`, or with layers inside that have one, receives pixels in this
    range, and its output is scaled back. All other layers receive pixels in 0..1, so a
    `fill_value` is in 0..1 as well. The output is clipped to 0..1. Layers that mix the images of
    a batch, such as `keras.layers.MixUp`, have no effect.

    If the Keras backend is not TensorFlow, only the preprocessing layers of Keras and those of
    KerasCV work. Chain them with `keras.layers.Pipeline`, not with `keras.Sequential`.

    The view can be saved if the layer can. `keras.layers.RandomShear` of Keras 3.15 and
    `JitteredResize`, `RandomApply` and `RandomChoice` of KerasCV 0.9 cannot.

    Args:
        layer: `keras.layers.Layer` that maps images `(B, H, W, C)` to images `(B, h, w, C)`.

    Raises:
        TypeError: If `layer` is not a layer.
        ValueError: If layers inside `layer` have different value ranges. When the view is called:
            if the layer draws random numbers that a seed cannot control, as `AugMix` of Keras and
            of KerasCV does, or does not return images of one size.
    """

    layer: keras.layers.Layer

    def __post_init__(self):
        if not isinstance(self.layer, keras.layers.Layer):
            raise TypeError(
                "`layer` must be a layer, such as keras.layers.RandomRotation(0.1), received "
                f"{self.layer!r}."
            )
        # One `tf.function` for each view, with a trace for each shape. Eager calls need the graph
        # too: on other Keras backends, layers run on TensorFlow only inside a graph.
        self._set(_value_range=_value_range(self.layer), _apply=tf.function(self._apply_to_batch))

    def __eq__(self, other):
        return type(other) is type(self) and self._serialized == other._serialized

    def __hash__(self):
        return hash(self._serialized)

    @functools.cached_property
    def _serialized(self):
        def without_build_config(config):  # views stay equal when a layer is built
            return {key: value for key, value in config.items() if key != "build_config"}

        config = json.loads(json.dumps(self.get_config()), object_hook=without_build_config)
        return json.dumps(config, sort_keys=True)

    def transform(self, images, seed):
        return self._apply(images, seed)

    def _apply_to_batch(self, images, seed):
        seeds = tf.random.split(fold_in(seed, "KerasLayer"), tf.shape(images)[0])
        state_before = _global_random_state()
        with LOCK, _replace_generators(self.layer) as generator:
            # A layer may draw while it is built. Build it first: the numbers of an image must not
            # depend on when that happened.
            self._apply_to_image(images[0], seed, generator)
            results = tf.map_fn(
                lambda inputs: self._apply_to_image(*inputs, generator),
                (images, seeds),
                fn_output_signature=tf.float32,
            )
        uncontrolled = _stateful_operations(tf.compat.v1.get_default_graph().as_graph_def())
        if _global_random_state() != state_before:
            uncontrolled.append("the global random state of Python or NumPy")
        if uncontrolled:
            raise ValueError(
                f"`layer` {type(self.layer).__name__} draws random numbers that a seed cannot "
                f"control, from {', '.join(uncontrolled)}. Use another layer, or a view of "
                "keras_ssl.views."
            )
        return results

    def _apply_to_image(self, image, seed, generator):
        generator.restart(seed)
        low, high = self._value_range
        result = self.layer(image[None] * (high - low) + low, training=True)
        if not tf.is_tensor(result) or result.shape.rank != 4:
            raise ValueError(
                "`layer` must return images of one size, a tensor (B, h, w, C). "
                f"{type(self.layer).__name__} returned {result!r}."
            )
        return tf.clip_by_value((tf.cast(result[0], tf.float32) - low) / (high - low), 0.0, 1.0)


class _SeedSequence(keras.random.SeedGenerator):
    """A seed generator whose seeds all derive from the seed of the last restart."""

    def __init__(self):
        # The parent's constructor would create a variable.
        self.seed, self.count = None, 0

    def restart(self, seed):
        self.seed, self.count = seed, 0

    def next(self, ordered=True):
        self.count += 1
        return fold_in(self.seed, self.count)


class _Generator:
    """Replaces the `tf.random.Generator` of a KerasCV layer."""

    def __init__(self, seeds):
        self.seeds = seeds

    def uniform(self, shape, minval=0, maxval=None, dtype=tf.float32, name=None):
        return tf.random.stateless_uniform(shape, self.seeds.next(), minval, maxval, dtype, name)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32, name=None):
        return tf.random.stateless_normal(shape, self.seeds.next(), mean, stddev, dtype, name)


class _UniformSampler(_Generator):
    """Replaces a `keras_cv.core.UniformFactorSampler`."""

    def __init__(self, seeds, sampler):
        super().__init__(seeds)
        self.sampler = sampler

    def __call__(self, shape=(), dtype="float32"):
        return self.uniform(shape, self.sampler.lower, self.sampler.upper, dtype)


class _NormalSampler(_Generator):
    """Replaces a `keras_cv.core.NormalFactorSampler`."""

    def __init__(self, seeds, sampler):
        super().__init__(seeds)
        self.sampler = sampler

    def __call__(self, shape=(), dtype="float32"):
        values = self.normal(shape, self.sampler.mean, self.sampler.stddev, dtype)
        return tf.clip_by_value(values, self.sampler.min_value, self.sampler.max_value)


# By name, because KerasCV may not be installed.
SAMPLERS = {"UniformFactorSampler": _UniformSampler, "NormalFactorSampler": _NormalSampler}


@contextlib.contextmanager
def _replace_generators(layer):
    """Temporarily replaces all random generators of a layer, and of those inside it, by one."""
    seeds, originals = _SeedSequence(), []
    try:
        for sublayer in _internals.iter_layers(layer):
            attributes = vars(sublayer)  # setting an attribute would make Keras track it as state
            replacements = _internals.tensorflow_generators(seeds)
            for name, value in attributes.items():
                sampler = SAMPLERS.get(type(value).__name__)
                if isinstance(value, keras.random.SeedGenerator):
                    replacements[name] = seeds
                elif isinstance(value, tf.random.Generator):
                    replacements[name] = _Generator(seeds)
                elif sampler is not None:
                    replacements[name] = sampler(seeds, value)
            originals.append(
                (attributes, {name: attributes.get(name, {}) for name in replacements})
            )
            attributes.update(replacements)
        yield seeds
    finally:
        for attributes, original in originals:
            attributes.update(original)


def _value_range(layer):
    """Returns the pixel range of a layer, or else of the layers inside it."""
    configs = [sublayer.get_config() for sublayer in _internals.iter_layers(layer)]
    if configs[0].get("value_range") is not None:
        configs = configs[:1]
    ranges = [config.get("value_range") for config in configs]
    ranges = sorted({tuple(map(float, limits)) for limits in ranges if limits is not None})
    if len(ranges) > 1:
        raise ValueError(f"`layer` has layers inside with different value ranges: {ranges}.")
    return ranges[0] if ranges else (0.0, 1.0)


def _stateful_operations(graph):
    """Returns the names of operations, also in functions, that a seed does not control."""
    functions = (node for function in graph.library.function for node in function.node_def)
    return sorted({node.op for node in (*graph.node, *functions) if STATEFUL.match(node.op)})


def _global_random_state():
    return random.getstate(), np.random.get_state()[2]

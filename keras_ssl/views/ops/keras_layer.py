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
import tensorflow as tf

from keras_ssl.views.base import View, fold_in

# Operations that draw from a state or write to one.
STATEFUL = re.compile(
    r"Random(?!IndexShuffle)|Stateful(?!PartitionedCall)|Rng|Multinomial|TruncatedNormal"
    r"|ParameterizedTruncatedNormal|Assign|EagerPyFunc|PyFunc"
)
LOCK = threading.RLock()  # a layer belongs to one trace at a time


@keras.saving.register_keras_serializable("keras_ssl")
@dataclasses.dataclass(frozen=True, eq=False)
class KerasLayer(View, calls_others=True):
    """Draws with an augmentation layer of `keras.layers` or `keras_cv.layers`.

    The seed of the call stands in for the layer's random generators, which are neither used nor
    changed: the layer's own `seed` has no effect. The layer is given one image at a time, as a
    batch of one, so that each image has its own draw also where the layer draws once for a batch,
    as `keras.layers.RandomCrop` does. This takes time, for simple layers most of it: where a view
    of `keras_ssl.views` does the same, it is faster.

    A layer that has a `value_range`, or has layers inside that do, is given pixels in this range,
    and its output is scaled back. Others are given pixels in 0..1: so is a `fill_value`. What
    leaves 0..1 is cut. Layers that mix the images of a batch, such as `keras.layers.MixUp`, have
    nothing to mix here.

    Where Keras's backend is not TensorFlow, only Keras's preprocessing layers work, and those of
    KerasCV: join them with `keras.layers.Pipeline`, not with `keras.Sequential`.

    The view can be saved where the layer can: `keras.layers.RandomShear` of Keras 3.15 and the
    `JitteredResize`, `RandomApply` and `RandomChoice` of KerasCV 0.9 cannot.

    Args:
        layer: `keras.layers.Layer` from images `(B, H, W, C)` to images `(B, h, w, C)`.

    Raises:
        TypeError: If `layer` is no layer.
        ValueError: If the layers inside have different value ranges. When called: if the layer
            draws numbers that no seed can be given for, as both `AugMix` do, or does not return
            images of one size.
    """

    layer: keras.layers.Layer

    def __post_init__(self):
        if not isinstance(self.layer, keras.layers.Layer):
            raise TypeError(
                "`layer` must be a layer, such as keras.layers.RandomRotation(0.1), received "
                f"{self.layer!r}."
            )
        # A function of its own: one trace for each shape, in a graph also where it is called
        # eagerly, because there alone the layer runs on TensorFlow whatever Keras's backend.
        self._set(_range=_value_range(self.layer), _mapped=tf.function(self._map))

    def __eq__(self, other):
        return type(other) is type(self) and self._saved == other._saved

    def __hash__(self):
        return hash(self._saved)

    @functools.cached_property
    def _saved(self):
        def without_build(config):  # what a layer was built for is no part of what it is
            return {key: value for key, value in config.items() if key != "build_config"}

        saved = json.loads(json.dumps(self.get_config()), object_hook=without_build)
        return json.dumps(saved, sort_keys=True)

    def transform(self, images, seed):
        """Gives each image to the layer, with a seed of its own."""
        return self._mapped(images, seed)

    def _map(self, images, seed):
        seeds = tf.random.split(fold_in(seed, "KerasLayer"), tf.shape(images)[0])
        before = _global_state()
        with LOCK, _reseeded(self.layer) as stream:
            # A layer may draw while it is built: its numbers must not depend on when that was.
            self._one(images[0], seed, stream)
            results = tf.map_fn(
                lambda each: self._one(*each, stream),
                (images, seeds),
                fn_output_signature=tf.float32,
            )
        hidden = _stateful_operations(tf.compat.v1.get_default_graph().as_graph_def())
        if _global_state() != before:
            hidden.append("the global random state of Python or NumPy")
        if hidden:
            raise ValueError(
                f"`layer` {type(self.layer).__name__} draws from what no seed can be given for: "
                f"{', '.join(hidden)}. Use another layer, or a view of keras_ssl.views."
            )
        return results

    def _one(self, image, seed, stream):
        stream.restart(seed)
        low, high = self._range
        result = self.layer(image[None] * (high - low) + low, training=True)
        if not tf.is_tensor(result) or result.shape.rank != 4:
            raise ValueError(
                f"`layer` must return images of one size, a tensor (B, h, w, C), and "
                f"{type(self.layer).__name__} returned {result!r}."
            )
        return tf.clip_by_value((tf.cast(result[0], tf.float32) - low) / (high - low), 0.0, 1.0)


class _Stream(keras.random.SeedGenerator):
    """Gives one seed after the other, all made from the one that it restarted from."""

    def __init__(self):  # not the parent's, which makes a variable
        self.seed, self.count = None, 0

    def restart(self, seed):
        self.seed, self.count = seed, 0

    def next(self, ordered=True):
        self.count += 1
        return fold_in(self.seed, self.count)


class _Generator:
    """Stands in for the `tf.random.Generator` that KerasCV draws from."""

    def __init__(self, stream):
        self.stream = stream

    def uniform(self, shape, minval=0, maxval=None, dtype=tf.float32, name=None):
        return tf.random.stateless_uniform(shape, self.stream.next(), minval, maxval, dtype, name)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32, name=None):
        return tf.random.stateless_normal(shape, self.stream.next(), mean, stddev, dtype, name)


class _UniformSampler(_Generator):
    """Stands in for `keras_cv.core.UniformFactorSampler`."""

    def __init__(self, stream, sampler):
        super().__init__(stream)
        self.limits = sampler.lower, sampler.upper

    def __call__(self, shape=(), dtype="float32"):
        return self.uniform(shape, *self.limits, dtype)


class _NormalSampler(_Generator):
    """Stands in for `keras_cv.core.NormalFactorSampler`."""

    def __init__(self, stream, sampler):
        super().__init__(stream)
        self.of = sampler

    def __call__(self, shape=(), dtype="float32"):
        values = self.normal(shape, self.of.mean, self.of.stddev, dtype)
        return tf.clip_by_value(values, self.of.min_value, self.of.max_value)


SAMPLERS = {"UniformFactorSampler": _UniformSampler, "NormalFactorSampler": _NormalSampler}


@contextlib.contextmanager
def _reseeded(layer):
    """Puts a stream in the place of all that a layer, and those inside it, draw from."""
    stream, originals = _Stream(), []
    try:
        for part in layer._flatten_layers():
            attributes = vars(part)  # directly: Keras would track the stream as a state
            # What data layers draw from in tf.data where Keras's backend is not TensorFlow.
            replaced = {"_backend_generators": {"tensorflow": stream}}
            for name, value in attributes.items():
                sampler = SAMPLERS.get(type(value).__name__)  # KerasCV may not be there to import
                if isinstance(value, keras.random.SeedGenerator):
                    replaced[name] = stream
                elif isinstance(value, tf.random.Generator):
                    replaced[name] = _Generator(stream)
                elif sampler is not None:
                    replaced[name] = sampler(stream, value)
            originals.append((attributes, {name: attributes.get(name, {}) for name in replaced}))
            attributes.update(replaced)
        yield stream
    finally:
        for attributes, original in originals:
            attributes.update(original)


def _value_range(layer):
    """The range of pixels that a layer, or else the layers inside it, work in."""
    ranges = [part.get_config().get("value_range") for part in layer._flatten_layers()]
    ranges = ranges[:1] if ranges[0] is not None else ranges
    found = sorted({tuple(map(float, each)) for each in ranges if each is not None})
    if len(found) > 1:
        raise ValueError(f"`layer` has layers inside with different value ranges: {found}.")
    return found[0] if found else (0.0, 1.0)


def _stateful_operations(graph):
    """Names of the operations in a graph, and in its functions, that a seed does not reach."""
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    return sorted({node.op for node in nodes if STATEFUL.match(node.op)})


def _global_state():
    return random.getstate(), np.random.get_state()[2]

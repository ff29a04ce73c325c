"""Kernels, bytes and memory of training steps compiled for an H100, on a machine without a GPU.

XLA compiles for a device of which it has a description only. Kernels are the operations that the
compiled program runs, those of loops and branches once; bytes are the operands and results of all
of them, an upper bound of what goes through the memory of the device. Algorithms of convolutions
are not tuned.

    pip install jax-cuda13-plugin==0.10.2 jax-cuda13-pjrt==0.10.2  # the version of jax
    KERAS_BACKEND=jax python benchmarks/h100.py --methods SimCLR BYOL
"""

import math
import os
import re
from pathlib import Path
from typing import NamedTuple

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0"

import jax
import keras
import numpy as np
import tyro
from jax.experimental import topologies

import keras_ssl
from keras_ssl import encoders
from keras_ssl.views import device

DESCRIPTION = Path(__file__).parent / "h100.txtpb"
SUPERVISED = "supervised"  # a bare classifier on as many images as two views have
SMALL = 2**20  # bytes of a kernel whose launch takes longer than its work
BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4}
BYTES |= {"f32": 4, "s64": 8, "u64": 8, "f64": 8}
NOT_RUN = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"}


class Config(NamedTuple):
    """What to compile.

    Attributes:
        methods: Names of self-supervised methods, or "supervised".
        batch_size: Images of a batch.
        size: Height and width of the images.
        policy: Precision policy of Keras.
        views_on: "host" for a step that receives float32 views, "device" for uint8 images.
        together: Whether the views run through the networks as one batch, for methods that have
            this argument.
    """

    methods: tuple[str, ...] = (SUPERVISED, "SimCLR")
    batch_size: int = 512
    size: int = 32
    policy: str = "mixed_bfloat16"
    views_on: str = "host"
    together: bool = False


class Kernel(NamedTuple):
    """An operation of a compiled program and the bytes of its operands and results."""

    operation: str
    bytes: int


def main(config: Config) -> None:
    """Prints a row of a Markdown table for each method."""
    keras.config.set_dtype_policy(config.policy)
    print("| step | kernels | below 1 MiB | GB | temporary GiB |\n|---|---|---|---|---|")
    for name in config.methods:
        program = compile_step(*make(name, config))
        kernels = find_kernels(program.as_text())
        small = sum(kernel.bytes < SMALL for kernel in kernels)
        total = sum(kernel.bytes for kernel in kernels) / 1e9
        temporary = program.memory_analysis().temp_size_in_bytes / 2**30
        print(f"| {name} | {len(kernels)} | {small} | {total:.1f} | {temporary:.2f} |", flush=True)


def make(name, config):
    """Returns a compiled model, and the shapes of the data of its step."""
    shape = (config.size, config.size, 3)
    encoder = encoders.resnet18(shape, stem="cifar")
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    if name == SUPERVISED:
        model = keras.Sequential([encoder, keras.layers.Dense(10)])
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        batch = 2 * config.batch_size
        return model, (spec((batch, *shape), "float32"), spec((batch,), "int32"))
    method, options = getattr(keras_ssl, name), {"together": True} if config.together else {}
    model = method(encoder, **options)
    model.compile(optimizer, views_on=config.views_on)
    images = device.PositionedImages(
        spec((config.batch_size, *shape), "uint8"), spec((config.batch_size, 3), "int32")
    )
    if config.views_on == "device":
        return model, (images,)
    views = model.default_views(shape[:2])
    return model, (jax.eval_shape(lambda batch: device.make_views(batch, views, 0), images),)


def compile_step(model, data):
    """Returns the training step of a model, compiled for an H100.

    Args:
        model: Compiled model.
        data: Shapes of the data of a step.
    """
    first = jax.tree.map(lambda x: np.zeros((2, *x.shape[1:]), x.dtype), data)
    if isinstance(model, keras_ssl.models.SelfSupervisedModel):
        model._build_training(first)
    else:
        model.evaluate(*first, verbose=0)
        model.optimizer.build(model.trainable_variables)
    state = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = [[variable.value for variable in variables] for variables in state]
    topology = topologies.get_topology_desc(
        platform="cuda", target_config=DESCRIPTION.read_text(), topology="1x1x1"
    )
    placement = jax.sharding.SingleDeviceSharding(topology.devices[0])
    placed = jax.tree.map(lambda x: spec(x.shape, x.dtype, sharding=placement), (state, data))
    step = jax.jit(model.train_step, donate_argnums=0)
    return step.trace(*placed).lower(lowering_platforms=("cuda",)).compile()


def spec(shape, dtype, **kwargs):
    """Returns a shape and a dtype, for which JAX compiles."""
    return jax.ShapeDtypeStruct(shape, dtype, **kwargs)


def find_kernels(text):
    """Returns the kernels of a compiled program, from its text."""
    computations, entry = {}, None
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.\-]+) .*\{$", line)
        if head:
            lines = computations[head[2]] = []
            entry = head[2] if head[1] else entry
        elif line.startswith("  ") and " = " in line:
            lines.append(line)
    return list(_kernels(computations, entry))


def _kernels(computations, name):
    sizes = {}
    for line in computations[name]:
        result, _, rest = line.replace("ROOT ", "").strip().partition(" = ")
        call = re.search(r" ([a-z][\w\-]*)\(([^)]*)\)", rest)
        operation, operands = call[1], re.findall(r"%([\w.\-]+)", call[2])
        sizes[result.lstrip("%")] = size = _num_bytes(rest[: call.start()])
        called = r"(?:body|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)"
        branches = re.search(r"branch_computations=\{([^}]*)\}", rest)
        if operation in ("while", "conditional", "call", "async-start"):
            names = (
                branches[1].replace("%", "").split(", ") if branches else re.findall(called, rest)
            )
            for inner in names:
                yield from _kernels(computations, inner)
        if operation not in NOT_RUN:
            yield Kernel(operation, size + sum(sizes.get(operand, 0) for operand in operands))


def _num_bytes(types):
    """Returns the bytes of all arrays in the text of a type."""
    return sum(
        BYTES[dtype] * math.prod(int(side) for side in sides.split(",") if side)
        for dtype, sides in re.findall(r"(\w+)\[([\d,]*)\]", types)
        if dtype in BYTES
    )


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Kernels, bytes and memory of training steps compiled for an H100, on a machine without a GPU.

XLA compiles for a device of which it has a description only. Kernels are the operations that the
compiled program runs, those of loops and branches once; bytes are the operands and results of all
of them, an upper bound of what goes through the memory of the device. Algorithms of convolutions
are not tuned.

    pip install jax-cuda13-plugin==0.10.2 jax-cuda13-pjrt==0.10.2  # the version of jax
    KERAS_BACKEND=jax python benchmarks/h100.py --methods SimCLR BYOL
    KERAS_BACKEND=jax python benchmarks/h100.py --methods all --encoder small_resnet
"""

import math
import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0"

import h100_methods
import jax
import keras
import numpy as np
import tyro
from h100_methods import spec
from jax.experimental import topologies

from keras_ssl.training.method import Method

DESCRIPTION = Path(__file__).parent / "h100.txtpb"
SMALL = 2**20  # bytes of a kernel whose launch takes longer than its work
BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4}
BYTES |= {"f32": 4, "s64": 8, "u64": 8, "f64": 8}
NOT_RUN = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"}


class Config(NamedTuple):
    """What to compile.

    Attributes:
        methods: Names of methods; "supervised" for a classifier on as many images as two views
            have; "all" for every method.
        encoder: The network. MAE and DINOv2 have a vision transformer, of the size "tiny".
        batch_size: Images of a batch.
        size: Height and width of the images.
        policy: Precision policy of Keras.
        views_on: "host" for a step that receives float32 views, "device" for uint8 images.
        together: Whether the views run through the networks as one batch, for methods that have
            this argument.
        max_kernels: Exit with status 1 if a step has more kernels.
    """

    methods: tuple[str, ...] = (h100_methods.SUPERVISED, "SimCLR")
    encoder: Literal["resnet18", "small_resnet"] = "resnet18"
    batch_size: int = 512
    size: int = 32
    policy: str = "mixed_bfloat16"
    views_on: str = "host"
    together: bool = False
    max_kernels: int | None = None


class Kernel(NamedTuple):
    """An operation of a compiled program and the bytes of its operands and results."""

    operation: str
    bytes: int


def main(config: Config) -> None:
    """Prints a row of a Markdown table for each method."""
    keras.config.set_dtype_policy(config.policy)
    print("| step | kernels | below 1 MiB | GB | temporary GiB |\n|---|---|---|---|---|")
    names = h100_methods.ALL if config.methods == ("all",) else config.methods
    for name in names:
        # The description lacks what XLA needs to choose Triton's kernels for attention.
        options = {"xla_gpu_enable_triton_gemm": name not in h100_methods.TRANSFORMERS}
        program = compile_step(*h100_methods.make(name, config), options)
        kernels = find_kernels(program.as_text())
        small = sum(kernel.bytes < SMALL for kernel in kernels)
        total = sum(kernel.bytes for kernel in kernels) / 1e9
        temporary = program.memory_analysis().temp_size_in_bytes / 2**30
        print(f"| {name} | {len(kernels)} | {small} | {total:.1f} | {temporary:.2f} |", flush=True)
        if config.max_kernels is not None and len(kernels) > config.max_kernels:
            raise SystemExit(f"{name} has more than {config.max_kernels} kernels.")


def compile_step(model, data, options):
    """Returns the training step of a model, compiled for an H100.

    Args:
        model: Compiled model.
        data: Shapes of the data of a step.
        options: Options of XLA.
    """
    first = jax.tree.map(lambda x: np.zeros((2, *x.shape[1:]), x.dtype), data)
    if isinstance(model, Method):
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
    return step.trace(*placed).lower(lowering_platforms=("cuda",)).compile(options)


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

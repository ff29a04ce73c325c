"""Collects what `card.py` needs on a machine without a network: packages and CIFAR-10.

    python benchmarks/card_prepare.py --output prepared --data-dir DIR

Needs a network, or a mirror of the package index, and TensorFlow Datasets with CIFAR-10. Writes
`wheels/`, the packages that a machine with JAX, PyTorch and torchvision usually lacks, and
CIFAR-10 as two files of lossless WebP.
"""

import subprocess
import sys
from pathlib import Path

import card_data
import numpy as np
import tyro

from keras_ssl import data, evaluation

PACKAGES = ("keras==3.15.1", "namex", "optree", "lightly==1.6.0", "lightly-utils")
PACKAGES += ("tyro<2", "typeguard", "docstring-parser")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
MAX_MIB = 60  # of a part


def main(
    output: Path = Path("prepared"), data_dir: Path | None = None, python_version: str = "3.12"
) -> None:
    """Writes the folder and prints the sizes of its files.

    Args:
        output: Folder to write to.
        data_dir: Directory of TensorFlow Datasets. None for its default directory.
        python_version: Version of Python on the machine with the GPU.
    """
    download(output / "wheels", python_version)
    splits = [data.load("cifar10", split, data_dir=data_dir) for split in ("train", "test")]
    splits = [evaluation.read_images(split) for split in splits]
    card_data.write_parts(output, *splits)
    for written, read in zip(splits, card_data.read_parts(output), strict=True):
        for before, after in zip(written, read, strict=True):
            np.testing.assert_array_equal(before, after)
    for file in sorted(output.rglob("*.*")):
        print(f"{file.stat().st_size / 2**20:8.2f} MiB  {file.relative_to(output)}")
    if too_large := [p for p in card_data.PARTS if size(output / p) > MAX_MIB * 2**20]:
        raise SystemExit(f"{', '.join(too_large)} take more than {MAX_MIB} MiB.")


def download(folder, python_version):
    """Downloads the packages for another version of Python, without those they depend on."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--quiet", "--dest", str(folder), "--python-version", python_version]
    command += [f"--platform={platform}" for platform in PLATFORMS]
    subprocess.run([*command, *PACKAGES], check=True)


def size(file):
    """Returns the bytes of a file."""
    return file.stat().st_size


if __name__ == "__main__":
    tyro.cli(main)

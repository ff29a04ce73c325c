"""Tuning of the memory allocator for input pipelines."""

import contextlib
import ctypes
import os

from keras_ssl.validation import check_int

M_TOP_PAD = -2  # from glibc's malloc.h


def tune_allocator(mebibytes: int = 64) -> None:
    """Lets glibc keep memory that batches free, so that input pipelines run faster.

    By default, glibc returns freed memory to the system, and each page costs time when the next
    batch needs it again. On two cores, SimCLR's views of 32 x 32 images came at 17,000 to 33,000
    pairs/s without this call and at 33,000 to 36,000 pairs/s with it. `benchmarks/views.py`
    measures the rate on another machine.

    The setting is one for the whole process, not only for keras_ssl, and it costs up to `mebibytes`
    of memory per thread that allocates. Therefore no pipeline sets it. Call this function once,
    before training; the recipes do so. It has no effect if the environment variable
    `MALLOC_TOP_PAD_` is set, if `GLIBC_TUNABLES` sets an option of malloc, or if the system does
    not use glibc.

    Args:
        mebibytes: Int >= 0, memory in MiB that each thread may keep.

    Raises:
        TypeError: If `mebibytes` is not an int.
        ValueError: If `mebibytes` is below 0.
    """
    check_int(0, mebibytes=mebibytes)
    if "MALLOC_TOP_PAD_" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):  # the system has no glibc
        ctypes.CDLL(None).mallopt(M_TOP_PAD, mebibytes * 2**20)

"""Memory that batches of views free and take again."""

import contextlib
import ctypes
import functools
import os

TOP_PAD, MEBIBYTES = -2, 64  # glibc's name for it is M_TOP_PAD


@functools.cache
def retain_freed_memory():
    """Lets glibc keep up to 64 MiB that a thread freed, once in a process.

    Given back to the system, each page costs time when it is taken again with the next batch: on
    two cores views of 32 pixels came at half of the rate whenever glibc did so. A process that sets
    `MALLOC_TOP_PAD_` or malloc's `GLIBC_TUNABLES`, or has another allocator, stays as it is.
    """
    if "MALLOC_TOP_PAD_" in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):  # where there is no glibc
        ctypes.CDLL(None).mallopt(TOP_PAD, MEBIBYTES * 2**20)

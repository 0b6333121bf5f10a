"""Count this machine's GPUs without loading torch, and lend them to stages one by one."""

import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@cache
def devices() -> tuple[str, ...]:
    """Return what CUDA_VISIBLE_DEVICES may be set to, one entry a GPU; empty without a GPU.

    A user's own CUDA_VISIBLE_DEVICES is respected.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1"))
    return tuple(str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*")))


def gpus() -> int:
    """Return the number of GPUs; where it is 0, a stage that would like one runs as any other."""
    return len(devices())


@cache
def _free() -> "queue.SimpleQueue[str]":
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in devices():
        free.put(name)
    return free


@contextmanager
def lend() -> Iterator[str]:
    """Lend one GPU's name, waiting for a free one."""
    name = _free().get()
    try:
        yield name
    finally:
        _free().put(name)

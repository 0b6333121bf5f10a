"""What an epoch of training takes in seconds and memory; kept apart from the records, which hold no clock."""

import resource
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch


class Pace(NamedTuple):
    """One epoch.

    Attributes:
        epoch: Its number, from 1.
        seconds: Of training alone; what the caller does between two epochs does not count.
        images_per_s: Images of the training set a second.
        peak_bytes: Most memory held: on a GPU by tensors during the epoch, else by the process since its start.
    """

    epoch: int
    seconds: float
    images_per_s: float
    peak_bytes: int


def paced(records: Iterator[dict], paces: list[Pace], *, images: int, device: str) -> Iterator[dict]:
    """Pass on a loop's records, and append each epoch's pace to `paces`.

    Args:
        records: What `loop.train` yields.
        paces: Filled here; the epochs of an earlier, interrupted process are not in it.
        images: Size of the training set.
        device: Where the model is.
    """
    on_gpu = torch.device(device).type == "cuda"
    while True:
        if on_gpu:
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
        begin = time.perf_counter()
        record = next(records, None)
        if record is None:
            return
        seconds = time.perf_counter() - begin
        peak = torch.cuda.max_memory_allocated(device) if on_gpu else _peak_of_process()
        paces.append(Pace(record["epoch"], seconds, images / seconds, peak))
        yield record


def _peak_of_process() -> int:
    # kibibytes on Linux, bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

"""What a stage may use of the machine: device, threads, worker processes.

The values come from the environment (`GAUNTLET_DEVICE`, `GAUNTLET_THREADS`, `GAUNTLET_WORKERS`), because they are
facts of the machine and not of the result. Threads are one unless asked otherwise, so that a result does not depend on
the number of cores; the number of workers never changes a bit.
"""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from multiprocessing.synchronize import Event
from typing import TypeVar

from gauntlet.errors import ArgumentError, RetryableError
from stages.lifetime import tie_to_parent
from stages.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Machine:
    """The resources of this process."""

    device: str
    threads: int
    workers: int


def thread_count() -> int:
    """Return the number of threads that every library may use."""
    return _count("GAUNTLET_THREADS", 1)


def _count(name: str, fallback: int) -> int:
    text = os.environ.get(name, str(fallback))
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentError(f"{name} must be a whole number of at least 1; got {text!r}")
    return int(text)


def _device(wish: str) -> str:
    if wish == "cpu":
        return wish
    import torch

    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    found = re.fullmatch(r"cuda(?::(\d+))?", wish)
    if not found:
        raise ArgumentError(f"GAUNTLET_DEVICE must be auto, cpu, cuda or cuda:N; got {wish!r}")
    count = torch.cuda.device_count()
    if int(found[1] or 0) >= count:
        raise ArgumentError(f"GAUNTLET_DEVICE {wish} must exist; this machine has {count} CUDA devices")
    return wish


@cache
def machine() -> Machine:
    """Return what this process may use, read once."""
    cores = len(os.sched_getaffinity(0))
    return Machine(
        device=_device(os.environ.get("GAUNTLET_DEVICE", "auto")),
        threads=thread_count(),
        workers=_count("GAUNTLET_WORKERS", cores),
    )


def limit_threads(threads: int) -> None:
    """Fix the number of threads of OpenMP (torch), BLAS and OpenCV; to be called before they are imported."""
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[library] = str(threads)


def parallel(
    function: Callable[[Item], Result], items: Iterable[Item], *, what: str = "items", workers: int | None = None
) -> list[Result]:
    """Map `function` over `items`, in order, over worker processes.

    Args:
        function: Draws its randomness from a seed and the item's index, never from what ran before.
        items: What to work on.
        what: The noun shown in the progress line.
        workers: Processes; `machine().workers` where none are given. One runs in this process.

    Returns:
        The results in the order of the items, the same for any number of workers.

    Raises:
        RetryableError: A worker was killed.
    """
    items = list(items)
    workers = min(workers or machine().workers, max(1, len(items)))
    if workers == 1:
        return list(track(map(function, items), what=what, total=len(items)))
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    # Forked workers inherit `function` and all that it holds; nothing large is pickled on the way in.
    fork = get_context("fork")
    stopped = fork.Event()
    with ProcessPoolExecutor(workers, mp_context=fork, initializer=_adopt, initargs=(function, stopped)) as pool:
        chunk = max(1, min(32, len(items) // (4 * workers)))
        try:
            return list(track(pool.map(_apply, items, chunksize=chunk), what=what, total=len(items)))
        except BrokenProcessPool:
            raise RetryableError(
                f"every worker must live to its end; one of {workers} at the {what} was killed; out of memory? "
                "fewer workers (GAUNTLET_WORKERS) need less"
            ) from None
        except Exception:
            stopped.set()
            raise
        except BaseException:  # this process is being ended: the pool would first wait for the items in hand
            threading.excepthook = lambda _: None
            for worker in active_children():
                worker.kill()
            raise


_adopted: list = []


def _adopt(function: Callable, stopped: Event) -> None:
    """Begin a worker: it ends with the stage, and leaves Ctrl-C to it."""
    tie_to_parent(signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopted[:] = [function, stopped]


def _apply(item: Item) -> Result | None:
    function, stopped = _adopted
    return None if stopped.is_set() else function(item)

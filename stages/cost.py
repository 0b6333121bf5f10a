"""What a stage took, beside the results and untracked: seconds and peak memory, a training stage's by epoch too."""

import contextlib
import json
import resource
import sys
from pathlib import Path

FOLDER = Path(".checkpoints/cost")


def write_cost(title: str, *, seconds: float) -> None:
    """Leave the whole stage's seconds and peak memory."""
    _write(f"{title}.json", {"seconds": round(seconds, 2), "peak_memory_mib": _peak_memory_mib()}, mode="w")


def write_epoch_cost(title: str, epoch: int, *, seconds: float, items: int) -> None:
    """Leave an epoch's seconds (training alone, without what is measured after it), items a second and peak memory.

    Args:
        title: Of the stage, as DVC calls it.
        epoch: From 1; the first one begins the file anew.
        seconds: Spent training.
        items: Images trained on.
    """
    cost = {"epoch": epoch, "seconds": round(seconds, 3), "items_per_s": round(items / max(seconds, 1e-9), 1)}
    mode = "w" if epoch == 1 else "a"
    _write(f"{title}.epochs.jsonl", cost | {"peak_memory_mib": _peak_memory_mib()}, mode=mode)


def _peak_memory_mib() -> int:
    """Of the accelerator where one is in use, else of this process."""
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available() and torch.cuda.is_initialized():
        return round(torch.cuda.max_memory_allocated() / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _write(name: str, cost: dict[str, float], *, mode: str) -> None:
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        with open(FOLDER / name, mode) as file:
            file.write(json.dumps(cost, sort_keys=True) + "\n")

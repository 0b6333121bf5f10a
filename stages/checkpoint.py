"""Checkpoints of a training stage: outside DVC, keyed by what decides the result, gone when it has succeeded."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import torch

from stages import Params
from stages.files import dvc_md5

ROOT = Path(".checkpoints")


def _code_digest() -> str:
    """Hash the project's modules that are loaded now."""
    root = Path(__file__).resolve().parents[1]
    ours = (root / "gauntlet", root / "stages")
    digest = hashlib.sha256()
    for _, module in sorted(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "/")
        if any(file.is_relative_to(folder) for folder in ours):
            digest.update(file.read_bytes())
    return digest.hexdigest()


class Checkpoint:
    """The state of one training run on disk, written whole or not at all.

    Attributes:
        path: `.checkpoints/<stage>/<hash of params, inputs and code>/state.pt`.
    """

    def __init__(self, stage: str, *, params: Params, inputs: dict[str, Path]) -> None:
        """Name the run by its parameters, the hashes of its inputs and the loaded code."""
        identity = {
            "params": params.model_dump(mode="json"),
            "inputs": {name: dvc_md5(path) for name, path in inputs.items()},
            "code": _code_digest(),
        }
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]
        self.path = ROOT / stage / key / "state.pt"

    def load(self) -> dict | None:
        """Return the last state, or None where there is none."""
        if not self.path.exists():
            return None
        print(f"resuming from {self.path}", file=sys.stderr, flush=True)
        return torch.load(self.path, weights_only=True)

    def save(self, state: dict) -> None:
        """Replace the state by this one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def clear(self) -> None:
        """Forget the run: it has succeeded."""
        shutil.rmtree(self.path.parent, ignore_errors=True)

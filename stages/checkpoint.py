"""Checkpoints of a training stage: outside DVC, keyed by what decides the result, gone when it has succeeded."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import torch

from gauntlet.errors import RetryableError
from stages import Params
from stages.files import dvc_md5
from stages.machine import machine

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
        stage: As DVC calls it.
        path: `.checkpoints/<stage>/<hash of params, inputs, code and device>/state.pt`.
    """

    def __init__(self, stage: str, *, params: Params, inputs: dict[str, Path]) -> None:
        """Name the run by its parameters, the hashes of its inputs, the loaded code, device and torch's version."""
        identity = {
            "params": params.model_dump(mode="json"),
            "inputs": {name: dvc_md5(path) for name, path in inputs.items()},
            "code": _code_digest(),
            "machine": [machine().device, machine().threads, torch.__version__],
        }
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]
        self.stage = stage
        self.path = ROOT / stage / key / "state.pt"

    def load(self) -> dict | None:
        """Return the last state, or None where there is none that can be read."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, weights_only=True)
        except Exception as error:  # torch raises whatever its unpickler meets in a broken file
            reason = " ".join(str(error).split())[:200]
            print(f"beginning anew: {self.path} is no whole checkpoint ({reason})", file=sys.stderr, flush=True)
            return None
        print(f"resuming from {self.path}", file=sys.stderr, flush=True)
        return state

    def save(self, state: dict) -> None:
        """Replace the state by this one.

        Raises:
            RetryableError: It could not be written: the disk is full.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        try:
            torch.save(state, partial)
        except RuntimeError as error:
            partial.unlink(missing_ok=True)
            reason = " ".join(str(error).split())[:200]
            raise RetryableError(f"{self.path} must be written whole; {reason}; is the disk full?") from None
        os.replace(partial, self.path)

    def clear(self) -> None:
        """Forget the run: it has succeeded."""
        shutil.rmtree(self.path.parent, ignore_errors=True)

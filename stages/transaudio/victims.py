"""Recognisers by name: Whisper, PocketSphinx, or a model that was trained here."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from gauntlet.models.whisper_ctc import WhisperCtc
from gauntlet.readers.recognizers import read_recognizer, read_whisper
from stages.machine import machine


class Hears(Protocol):
    """Whatever turns speech into text."""

    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said in each utterance, normalised."""
        ...


class Places(NamedTuple):
    """Where recognisers lie."""

    whisper: Path
    models: Path


def _whisper(places: Places) -> Hears:
    return read_whisper(places.whisper).to(machine().device).eval().requires_grad_(False)


def _pocketsphinx(_: Places) -> Hears:
    from gauntlet.models.black_box import PocketSphinx

    return PocketSphinx()


OTHERS: dict[str, Callable[[Places], Hears]] = {"whisper": _whisper, "pocketsphinx": _pocketsphinx}
"""Those that are no model of `wapat.train`."""


def opened(names: Iterable[str], places: Places) -> dict[str, Hears]:
    """Open recognisers by name, in eval mode, their weights frozen.

    Raises:
        DataError: No such model, or a damaged one.
    """
    found = {name: OTHERS[name](places) if name in OTHERS else _trained(name, places) for name in names}
    fronts: dict[int, torch.nn.Module] = {}
    for model in found.values():
        if isinstance(model, WhisperCtc):
            # The same layers of the same Whisper: in an ensemble they run once.
            model.front = fronts.setdefault(model.frozen_layers, model.front)
    return found


def _trained(name: str, places: Places) -> Hears:
    model = read_recognizer(places.models / name, whisper=places.whisper)
    return model.to(machine().device).eval().requires_grad_(False)

"""Recognisers by name: Whisper, PocketSphinx, or a model that was trained here."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor

from gauntlet.models.ctc import equal_fronts
from gauntlet.readers.recognizers import read_whisper
from gauntlet.readers.trained_recognizers import read_recognizer
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
    models = list(found.values())
    for place, model in enumerate(models):
        # Equal fronts become one: in an ensemble it runs once.
        if twin := next((each for each in models[:place] if equal_fronts(each, model)), None):
            model.front = twin.front
    return found


def _trained(name: str, places: Places) -> Hears:
    model = read_recognizer(places.models / name, whisper=places.whisper)
    return model.to(machine().device).eval().requires_grad_(False)

"""Recognisers that were trained here, whatever they stand on."""

from collections.abc import Callable
from pathlib import Path

from gauntlet.errors import DataError
from gauntlet.models.transformers_ctc import TransformersCtc
from gauntlet.models.whisper_ctc import WhisperCtc
from gauntlet.readers.models import read_card
from gauntlet.readers.recognizers import read_whisper_ctc
from gauntlet.readers.transformers_ctc import read_trained_ctc

Trained = WhisperCtc | TransformersCtc
"""A CTC recogniser of two modules: `front` is frozen, `body` trains."""

READERS: dict[str, Callable[[Path, Path], Trained]] = {
    WhisperCtc.architecture: lambda folder, whisper: read_whisper_ctc(folder, whisper=whisper),
    TransformersCtc.architecture: lambda folder, _: read_trained_ctc(folder),
}
"""By the architecture that model.json names."""


def read_recognizer(folder: Path, *, whisper: Path) -> Trained:
    """Read a CTC recogniser that `wapat.pretrain` or `wapat.train` wrote.

    Args:
        folder: model.json, model.safetensors with the body's weights; front.safetensors with the front's, where that is
            not Whisper's.
        whisper: The Whisper that the front comes from, if it does.

    Returns:
        The recogniser in evaluation mode on the CPU.

    Raises:
        DataError: A folder is incomplete, of another method, or the two do not fit.
    """
    architecture = read_card(folder).architecture
    if architecture not in READERS:
        known = " or ".join(READERS)
        raise DataError(f"{folder} must hold a {known}; got {architecture}; a model of another method?")
    return READERS[architecture](folder, whisper)

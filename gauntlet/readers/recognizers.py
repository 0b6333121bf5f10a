"""Recognisers from folders: Whisper as transformers lays it out, and what was trained here on its encoder."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.models.alphabet import LETTERS
from gauntlet.models.whisper_ctc import WhisperCtc
from gauntlet.models.whisper_encoder import EncoderShape
from gauntlet.readers.models import read_card

ARCHITECTURE = "whisper_ctc"
SHAPE_KEYS = {
    "width": "d_model",
    "heads": "encoder_attention_heads",
    "hidden": "encoder_ffn_dim",
    "layers": "encoder_layers",
    "mels": "num_mel_bins",
    "positions": "max_source_positions",
}


@dataclass(frozen=True)
class EncoderWeights:
    """A Whisper encoder.

    Attributes:
        shape: Its sizes.
        state: Its weights in float32, named as transformers names them inside the encoder.
    """

    shape: EncoderShape
    state: dict[str, Tensor]


def read_encoder(folder: Path) -> EncoderWeights:
    """Read the encoder of a transformers folder of Whisper.

    Raises:
        DataError: The folder is incomplete, or another model's.
    """
    config = _config(folder)
    try:
        shape = EncoderShape(**{name: config[key] for name, key in SHAPE_KEYS.items()})
    except KeyError as error:
        raise DataError(
            f"{folder / 'config.json'} must be Whisper's; {error.args[0]} is missing; another model?"
        ) from None
    state = {}
    for name, tensor in _weights(folder / "model.safetensors").items():
        head, found, tail = name.rpartition("encoder.")
        if found and head in ("", "model."):
            state[tail] = tensor.float()
    if not state:
        raise DataError(f"{folder} must hold an encoder; none of its weights is one's; another model?")
    return EncoderWeights(shape, state)


def whisper_ctc(
    folder: Path,
    *,
    frozen_layers: int,
    symbols: tuple[str, ...] = LETTERS,
    dropout: float = 0.0,
    seed: int = 0,
) -> WhisperCtc:
    """Build a CTC recogniser on a Whisper encoder; its head is still random.

    Args:
        folder: Whisper in transformers' layout.
        frozen_layers: Layers that never train, in 0..the encoder's.
        symbols: Letters or phonemes.
        dropout: On the residual branches of the layers that train, in [0, 1).
        seed: Of the head.

    Returns:
        The recogniser in evaluation mode on the CPU.

    Raises:
        DataError: The folder is incomplete, or the weights do not fit its config.json.
    """
    weights = read_encoder(folder)
    model = WhisperCtc(weights.shape, frozen_layers=frozen_layers, symbols=symbols, dropout=dropout)
    try:
        model.load_encoder(weights.state, generator=torch.Generator().manual_seed(seed))
    except RuntimeError as error:
        raise DataError(f"{folder} must fit its own config.json; {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def read_recognizer(folder: Path, *, whisper: Path) -> WhisperCtc:
    """Read a CTC recogniser that was trained here: `stages.training.write_model` of a `WhisperCtc`'s body.

    Args:
        folder: model.json (architecture "whisper_ctc", symbols as classes, `frozen_layers` and `dropout` as settings)
            and model.safetensors.
        whisper: The Whisper that the front end comes from.

    Returns:
        The recogniser in evaluation mode on the CPU.

    Raises:
        DataError: A folder is incomplete, or the two do not fit.
    """
    card = read_card(folder)
    if card.architecture != ARCHITECTURE:
        raise DataError(f"{folder} must hold a {ARCHITECTURE}; got {card.architecture}; a model of another method?")
    try:
        model = whisper_ctc(whisper, symbols=tuple(card.classes), **card.settings)
        model.body.load_state_dict(_weights(folder / "model.safetensors"))
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{folder} must fit {whisper}; {reason}; trained on another Whisper?") from None
    return model.eval()


def _config(folder: Path) -> dict:
    path = folder / "config.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(f"{path} must exist; is {folder} a transformers folder?") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path} must be JSON; {error}") from None


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise DataError(f"{path} must exist; an interrupted copy?") from None
    except SafetensorError as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; truncated?") from None

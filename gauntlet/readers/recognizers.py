"""Recognisers on Whisper, from its folder in transformers' layout: whole, or its encoder with CTC."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.models.alphabet import LETTERS
from gauntlet.models.whisper import NEAR, STRIDE, Rules, Whisper
from gauntlet.models.whisper_ctc import WhisperCtc
from gauntlet.models.whisper_decoder import DecoderShape
from gauntlet.models.whisper_encoder import EncoderShape, split_state
from gauntlet.readers.models import read_card

SHAPE_KEYS = {
    "width": "d_model",
    "heads": "encoder_attention_heads",
    "hidden": "encoder_ffn_dim",
    "layers": "encoder_layers",
    "mels": "num_mel_bins",
    "positions": "max_source_positions",
}
DECODER_KEYS = {
    "width": "d_model",
    "heads": "decoder_attention_heads",
    "hidden": "decoder_ffn_dim",
    "layers": "decoder_layers",
    "tokens": "vocab_size",
    "positions": "max_target_positions",
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
    shape = EncoderShape(**_sizes(folder, SHAPE_KEYS))
    state = _part(read_weights(folder / "model.safetensors"), "encoder.")
    if not state:
        raise DataError(f"{folder} must hold an encoder; none of its weights is one's; another model?")
    return EncoderWeights(shape, state)


def read_whisper(folder: Path, *, near: int = NEAR, stride: int = STRIDE) -> Whisper:
    """Read a Whisper of any size, sequence to sequence.

    Args:
        folder: In transformers' layout: config.json, generation_config.json, tokenizer.json, model.safetensors.
        near: Frames of silence kept after each utterance, as `Whisper` takes it.
        stride: Of the rest of 30 s; 1 keeps all, as in its training.

    Returns:
        The recogniser on the CPU; of a multilingual one, English transcription.

    Raises:
        DataError: The folder is incomplete, or another model's.
    """
    encoder, decoder = EncoderShape(**_sizes(folder, SHAPE_KEYS)), DecoderShape(**_sizes(folder, DECODER_KEYS))
    model = Whisper(
        encoder,
        decoder,
        rules=_rules(folder),
        tokenizer=WhisperTokens(folder / "tokenizer.json"),
        near=near,
        stride=stride,
    )
    weights = read_weights(folder / "model.safetensors")
    front, norm = split_state(_part(weights, "encoder."), frozen_layers=encoder.layers)
    state = {f"front.{name}": tensor for name, tensor in front.items()} | norm
    state |= {f"decoder.{name}": tensor for name, tensor in _part(weights, "decoder.").items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(f"{folder} must fit its own config.json; {str(error).splitlines()[-1].strip()}") from None
    return model


class WhisperTokens:
    """The tokenizer of a Whisper folder, without special tokens.

    Args:
        path: tokenizer.json.

    Raises:
        DataError: The file is missing or no tokenizer.
    """

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        if not path.is_file():
            raise DataError(f"{path} must exist; an interrupted copy?")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise DataError(f"{path} must be a tokenizer; {error}; truncated?") from None

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: list[int]) -> str:
        """Return the text of tokens, special ones left out."""
        return self._tokenizer.decode(tokens)


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


def read_whisper_ctc(folder: Path, *, whisper: Path) -> WhisperCtc:
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
    try:
        model = whisper_ctc(whisper, symbols=tuple(card.classes), **card.settings)
        model.body.load_state_dict(read_weights(folder / "model.safetensors"))
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{folder} must fit {whisper}; {reason}; trained on another Whisper?") from None
    return model.eval()


def read_json(path: Path) -> dict:
    """Read one of the JSON files of a transformers folder.

    Raises:
        DataError: It is missing, or no JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(f"{path} must exist; is {path.parent} a transformers folder?") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path} must be JSON; {error}") from None


def _rules(folder: Path) -> Rules:
    config = read_json(folder / "generation_config.json")
    try:
        prefix = [config["decoder_start_token_id"]]
        if config.get("is_multilingual"):
            prefix += [config["lang_to_id"]["<|en|>"], config["task_to_id"]["transcribe"]]
        return Rules(
            prefix=(*prefix, config["no_timestamps_token_id"]),
            end=config["eos_token_id"],
            never=tuple(config.get("suppress_tokens") or ()),
            never_first=tuple(config.get("begin_suppress_tokens") or ()),
        )
    except KeyError as error:
        raise DataError(f"{folder / 'generation_config.json'} must name {error.args[0]}; another model?") from None


def _sizes(folder: Path, keys: dict[str, str]) -> dict[str, int]:
    config = read_json(folder / "config.json")
    try:
        return {name: config[key] for name, key in keys.items()}
    except KeyError as error:
        raise DataError(f"{folder / 'config.json'} must name {error.args[0]}; another model than Whisper?") from None


def _part(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights below a prefix, with or without `model.` before it, in float32."""
    parts = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    return {name.removeprefix(prefix): tensor.float() for name, tensor in parts.items() if name.startswith(prefix)}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        DataError: It is missing, or not whole.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise DataError(f"{path} must exist; an interrupted copy?") from None
    except SafetensorError as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; truncated?") from None

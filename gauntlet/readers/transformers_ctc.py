"""wav2vec 2.0, HuBERT, WavLM and their kin from a folder in transformers' layout, and what was trained here on one."""

from pathlib import Path

import torch
from torch import nn

from gauntlet.errors import DataError
from gauntlet.models.alphabet import LETTERS
from gauntlet.models.transformers_ctc import TransformersCtc
from gauntlet.readers.models import read_card
from gauntlet.readers.recognizers import read_json, read_weights

FRONT = "front.safetensors"
"""The front's weights in the folder of a trained recogniser, so that it needs no other folder."""


def read_transformers_ctc(
    folder: Path, *, symbols: tuple[str, ...] = LETTERS, fresh_head: bool = False, seed: int = 0
) -> TransformersCtc:
    """Read a CTC recogniser: of letters with its own head, of any symbols with a fresh one.

    Args:
        folder: config.json, weights and, where the model wants normalised waveforms, preprocessor_config.json; for its
            own head vocab.json: letters of either case, "|" between words.
        symbols: Of the head; a model's own has letters.
        fresh_head: Whether the head gets small random weights; a folder without a head needs it.
        seed: Of a fresh head.

    Returns:
        The recogniser in evaluation mode on the CPU.

    Raises:
        DataError: The folder is incomplete, of another family, has no head, or its vocabulary lacks a letter.
    """
    own = None if fresh_head else _columns(folder / "vocab.json", symbols)
    preprocessor = folder / "preprocessor_config.json"
    normalized = read_json(preprocessor).get("do_normalize", True) if preprocessor.exists() else False
    model = _pretrained(folder, outputs=1 + len(symbols) if fresh_head else None)
    columns = own or {symbol: 1 + place for place, symbol in enumerate(symbols)}
    blank = 0 if fresh_head else model.config.pad_token_id
    recognizer = TransformersCtc(model, columns=columns, blank=blank, normalized=normalized)
    if fresh_head:
        recognizer.renew_head(torch.Generator().manual_seed(seed))
    return recognizer.eval()


def read_trained_ctc(folder: Path) -> TransformersCtc:
    """Read a CTC recogniser that was trained here: `stages.training.write_model` of a `TransformersCtc`'s body.

    Args:
        folder: model.json (architecture "transformers_ctc", symbols as classes), model.safetensors, front.safetensors.

    Returns:
        The recogniser in evaluation mode on the CPU.

    Raises:
        DataError: The folder is incomplete, or its files do not fit each other.
    """
    from transformers import AutoConfig, AutoModelForCTC

    card = read_card(folder)
    front, body = (read_weights(folder / name) for name in (FRONT, "model.safetensors"))
    columns = {symbol: 1 + place for place, symbol in enumerate(card.classes)}
    try:
        with torch.random.fork_rng(devices=[]):
            model = AutoModelForCTC.from_config(AutoConfig.for_model(**card.settings["config"]))
        recognizer = TransformersCtc(model, columns=columns, blank=0, normalized=card.settings["normalized"])
        recognizer.front.load_state_dict(front)
        recognizer.body.load_state_dict(body)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(
            f"{folder} must fit its own model.json; {reason}; of another version of transformers?"
        ) from None
    return recognizer.eval()


def _columns(path: Path, symbols: tuple[str, ...]) -> dict[str, int]:
    vocabulary = {token.lower(): column for token, column in read_json(path).items()}
    columns = {symbol: vocabulary.get("|" if symbol == " " else symbol) for symbol in symbols}
    if missing := [symbol for symbol, column in columns.items() if column is None]:
        raise DataError(f"{path} must hold all letters; {missing[0]!r} is missing; no English model?")
    return columns


def _pretrained(folder: Path, *, outputs: int | None) -> nn.Module:
    """Read the model; with `outputs` it may lack its head."""
    from transformers import AutoModelForCTC

    sizes = {} if outputs is None else {"vocab_size": outputs, "pad_token_id": 0, "ignore_mismatched_sizes": True}
    try:
        with torch.random.fork_rng(devices=[]):
            model, found = AutoModelForCTC.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True, **sizes
            )
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} must hold a CTC model; {str(error).splitlines()[0]}; an interrupted copy?") from None
    # What masks in pre-training is no part of the recogniser.
    missing = sorted(name for name in found["missing_keys"] if not name.endswith("masked_spec_embed"))
    if lost := [name for name in missing if outputs is None or not name.startswith("lm_head.")]:
        slip = "a model without a head (fresh_head: true)" if lost[0].startswith("lm_head.") else "another family"
        raise DataError(f"{folder} must hold all weights of a CTC model; {lost[0]} is missing; {slip}?")
    return model

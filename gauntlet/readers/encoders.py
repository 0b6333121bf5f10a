"""Text encoders in transformers' layout: a folder, or a tar of its files with Rust tokenizer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from gauntlet.errors import DataError
from gauntlet.readers.archives import members

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"


class Encoder(NamedTuple):
    """A text encoder.

    Attributes:
        model: Of transformers, float32, evaluation mode, on the CPU; its output has `last_hidden_state` [B, T, D].
        tokenizer: Called with texts, `padding=True, truncation=True, return_tensors="pt"`.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"


def read_encoder(source: Path) -> Encoder:
    """Read an encoder such as MiniLM, BERT or RoBERTa.

    Args:
        source: A folder that transformers wrote, or a tar that holds config.json, model.safetensors, tokenizer.json
            and tokenizer_config.json.

    Raises:
        DataError: It is not there, incomplete, no encoder, or the weights do not fit; names the file.
    """
    if source.is_dir():
        return _from_folder(source)
    if not source.exists():
        raise DataError(f"{source} must be a folder or a tar of an encoder; it is not there; `dvc repro` brings it")
    return _from_archive(source)


def _from_folder(folder: Path) -> Encoder:
    from transformers import AutoModel, AutoTokenizer

    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise DataError(
            f"{folder} must be an encoder as transformers writes it; {_line(error)}; another kind of model?"
        ) from None
    return Encoder(model.eval(), tokenizer)


def _from_archive(path: Path) -> Encoder:
    from transformers import AutoConfig, AutoModel

    files = {member.name: member.data for member in members(path, "*.*") if "/" not in member.name}
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        if name not in files:
            raise DataError(
                f"{path} must hold {name}; it has {', '.join(sorted(files)) or 'nothing'}; another archive?"
            )
    try:
        settings = json.loads(files[CONFIG])
        config = AutoConfig.for_model(settings.pop("model_type"), **settings)
        model = AutoModel.from_config(config, dtype=torch.float32)
        # The newest transformers build some buffers themselves and no longer keep them in the weights.
        rest = model.load_state_dict(load(files[WEIGHTS]), strict=False)
        tokenizer = _tokenizer(files)
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{path} must hold an encoder of transformers; {_line(error)}; another model?") from None
    if missing := [name for name in rest.missing_keys if not name.startswith("pooler.")]:
        raise DataError(
            f"{path}, {WEIGHTS}: must hold every weight of {CONFIG}; {missing[0]} is missing; another model?"
        )
    return Encoder(model.float().eval(), tokenizer)


def _tokenizer(files: dict[str, bytes]) -> "PreTrainedTokenizerBase":
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    settings = json.loads(files.get("tokenizer_config.json", b"{}"))
    special = {name: value for name, value in settings.items() if name.endswith("_token") and isinstance(value, str)}
    whole = Tokenizer.from_str(files[TOKENIZER].decode())
    # The file may fix a padding of its own; the caller's choice counts.
    whole.no_padding()
    whole.no_truncation()
    return PreTrainedTokenizerFast(
        tokenizer_object=whole, model_max_length=settings.get("model_max_length", 512), **special
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

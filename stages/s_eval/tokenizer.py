"""Write the tokenizer of a GGUF file as transformers reads it: byte-level pairs, special tokens, chat template."""

from pathlib import Path

from gauntlet.errors import DataError
from gauntlet.readers.gguf import Gguf
from stages.files import write_json

CONTROL = 3
"""GGUF's type of a token that stands for no text."""


def write_tokenizer(folder: Path, source: Gguf) -> None:
    """Write tokenizer.json and tokenizer_config.json.

    Raises:
        DataError: It is no byte-level tokenizer with single digits, as SmolLM's is.
    """
    kind = (source.value("tokenizer.ggml.model"), source.value("tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise DataError(f"{source.source}: the tokenizer must be gpt2 with smollm's splits; got {kind}; another model?")
    write_json(folder / "tokenizer.json", _pairs_and_splits(source))
    tokens, named = source.value("tokenizer.ggml.tokens"), {}
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown")):
        named[f"{name}_token"] = tokens[source.value(f"tokenizer.ggml.{key}_token_id")]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": source.setting("context_length"),
        "clean_up_tokenization_spaces": False,
        "chat_template": source.value("tokenizer.chat_template"),
    }
    write_json(folder / "tokenizer_config.json", named | settings)


def _pairs_and_splits(source: Gguf) -> dict[str, object]:
    tokens = source.value("tokenizer.ggml.tokens")
    special = [n for n, sort in enumerate(source.value("tokenizer.ggml.token_type")) if sort == CONTROL]
    digits = {"type": "Digits", "individual_digits": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(number, tokens[number]) for number in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": _pairs({token: number for number, token in enumerate(tokens)}, source),
    }


def _added(number: int, token: str) -> dict[str, object]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": token, "special": True} | flags


def _pairs(vocabulary: dict[str, int], source: Gguf) -> dict[str, object]:
    merges = [pair.split(" ") for pair in source.value("tokenizer.ggml.merges")]
    flags = dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False)
    absent = dict.fromkeys(("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"))
    return {"type": "BPE", "vocab": vocabulary, "merges": merges} | flags | absent

"""Turn Whisper from CTranslate2's layout into a transformers folder: safetensors, configurations, tokenizer."""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.readers.archives import members
from gauntlet.readers.ctranslate2 import Weights, parse_ctranslate2
from gauntlet.readers.whisper_names import transformers_state
from stages import Out
from stages import Params as Params  # it has none of its own
from stages.files import write_json

END = "<|endoftext|>"
NEEDED = ("config.json", "model.bin", "tokenizer.json")


def run(params: Params, *, weights: Path, recognizer: Out) -> None:
    """Write the transformers folder."""
    found = {member.name: member.data for member in members(weights) if member.name in NEEDED}
    if missing := [name for name in NEEDED if name not in found]:
        raise DataError(f"{weights} must hold {', '.join(NEEDED)}; {missing[0]} is missing; another model?")
    source = parse_ctranslate2(found["model.bin"], source=f"{weights}: model.bin")
    state = transformers_state(source)
    tokens = {token["content"]: token["id"] for token in json.loads(found["tokenizer.json"])["added_tokens"]}
    suppressed = json.loads(found["config.json"])
    recognizer.mkdir(parents=True)
    save_file(state, recognizer / "model.safetensors", metadata={"format": "pt"})
    (recognizer / "tokenizer.json").write_bytes(found["tokenizer.json"])
    write_json(recognizer / "tokenizer_config.json", {"tokenizer_class": "WhisperTokenizer", "unk_token": END})
    write_json(recognizer / "config.json", _sizes(source, state) | _special(tokens))
    write_json(recognizer / "generation_config.json", _generation(tokens, suppressed))
    write_json(recognizer / "preprocessor_config.json", _preprocessor(state))


def _special(tokens: dict[str, int]) -> dict[str, int]:
    end = tokens[END]
    return {
        "bos_token_id": end,
        "decoder_start_token_id": tokens["<|startoftranscript|>"],
        "eos_token_id": end,
        "pad_token_id": end,
    }


def _sizes(source: Weights, state: dict[str, Tensor]) -> dict[str, object]:
    """Read the sizes off the weights' shapes."""
    sizes: dict[str, object] = {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]}
    for side, frames in (("encoder", "max_source_positions"), ("decoder", "max_target_positions")):
        sizes[f"{side}_attention_heads"] = int(source.tensors[f"{side}/num_heads"])
        sizes[f"{side}_layers"] = sum(name.startswith(f"model.{side}.layers") and "fc1.bias" in name for name in state)
        sizes[f"{side}_ffn_dim"] = len(state[f"model.{side}.layers.0.fc1.bias"])
        sizes[frames] = len(state[f"model.{side}.embed_positions.weight"])
    vocabulary, width = state["model.decoder.embed_tokens.weight"].shape
    mels = state["model.encoder.conv1.weight"].shape[1]
    return sizes | {"vocab_size": vocabulary, "d_model": width, "num_mel_bins": mels, "dtype": "float32"}


def _generation(tokens: dict[str, int], suppressed: dict) -> dict[str, object]:
    """Say what Whisper begins with and never says.

    A vocabulary of English alone has its end-of-text below 50257; several languages are one place further.
    """
    return _special(tokens) | {
        "begin_suppress_tokens": suppressed["suppress_ids_begin"],
        "is_multilingual": tokens[END] > 50256,
        "lang_to_id": {"<|en|>": tokens["<|en|>"]},
        "max_length": 448,
        "no_timestamps_token_id": tokens["<|notimestamps|>"],
        "suppress_tokens": suppressed["suppress_ids"],
        "task_to_id": {"transcribe": tokens["<|transcribe|>"]},
    }


def _preprocessor(state: dict[str, Tensor]) -> dict[str, object]:
    return {
        "chunk_length": 30,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": state["model.encoder.conv1.weight"].shape[1],
        "hop_length": 160,
        "n_fft": 400,
        "sampling_rate": 16000,
    }

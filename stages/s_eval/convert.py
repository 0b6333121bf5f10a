"""Turn the embedded chat model from four-bit GGUF into a transformers folder and an eight-bit GGUF beside it.

Four-bit weights answer differently with what else is in the server's batch; eight-bit weights do not.
"""

import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from gauntlet.errors import DataError
from gauntlet.models.gguf_names import transformers_state
from gauntlet.readers.archives import members
from gauntlet.readers.gguf import Gguf, read_gguf
from stages import Out
from stages import Params as Params  # it has none of its own
from stages.files import write_json
from stages.s_eval.gguf import write_q8_0
from stages.s_eval.tokenizer import write_tokenizer


def run(params: Params, *, weights: Path, chat_model: Out) -> None:
    """Write the folder: model.safetensors (bfloat16), configurations, tokenizer, model.gguf (Q8_0)."""
    source = _unpacked(weights)
    config = _config(source)
    state = transformers_state({name: torch.from_numpy(weight) for name, weight in source.tensors.items()}, config)
    chat_model.mkdir(parents=True)
    rounded = {name: weight.to(torch.bfloat16).contiguous() for name, weight in state.items()}
    save_file(rounded, chat_model / "model.safetensors", metadata={"format": "pt"})
    write_json(chat_model / "config.json", config)
    special = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(chat_model / "generation_config.json", special | {"do_sample": False})
    write_tokenizer(chat_model, source)
    write_q8_0(chat_model / "model.gguf", source.fields, source.tensors)


def _unpacked(weights: Path) -> Gguf:
    """Read the archive's GGUF, through a file of its own: the reader maps it into memory."""
    found = list(members(weights, "*.gguf"))
    if len(found) != 1:
        raise DataError(f"{weights} must hold one .gguf file; it holds {len(found)}; another package?")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(found[0].name).name)
        path.write_bytes(found[0].data)
        return read_gguf(path)


def _config(source: Gguf) -> dict[str, object]:
    """Write transformers' configuration of a Llama from GGUF's metadata."""
    if (kind := source.value("general.architecture")) != "llama":
        raise DataError(f"{source.source}: the architecture must be llama; got {kind}; another chat model?")
    heads, width = source.setting("attention.head_count"), source.setting("embedding_length")
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": source.value("tokenizer.ggml.bos_token_id"),
        "dtype": "bfloat16",
        "eos_token_id": source.value("tokenizer.ggml.eos_token_id"),
        "head_dim": width // heads,
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": source.setting("feed_forward_length"),
        "max_position_embeddings": source.setting("context_length"),
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": source.setting("block_count"),
        "num_key_value_heads": source.setting("attention.head_count_kv"),
        "pad_token_id": source.value("tokenizer.ggml.padding_token_id"),
        # The file keeps a float32: 1e-5 comes back as 9.99999974e-06.
        "rms_norm_eps": float(f"{source.setting('attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": source.setting("rope.freq_base"),
        "tie_word_embeddings": "output.weight" not in source.tensors,
        "vocab_size": len(source.value("tokenizer.ggml.tokens")),
    }

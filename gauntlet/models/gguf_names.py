"""The names and shapes of a Llama in GGUF and in transformers, and its configuration in both."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from gauntlet.errors import DataError

WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
FROM_WHOLE = {theirs: ours for ours, theirs in WHOLE.items()}
FROM_LAYER = {theirs: ours for ours, theirs in LAYER.items()}


def transformers_name(name: str) -> str:
    """Translate the name of a weight from GGUF.

    >>> transformers_name("blk.3.attn_q.weight")
    'model.layers.3.self_attn.q_proj.weight'

    Raises:
        DataError: A Llama has no such weight.
    """
    found = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if found and found[2] in LAYER:
        return f"model.layers.{found[1]}.{LAYER[found[2]]}.weight"
    if name in WHOLE:
        return WHOLE[name]
    raise DataError(f"the weights must be a Llama's; got {name}; a model of another architecture?")


def gguf_name(name: str) -> str:
    """Translate the name of a weight to GGUF, the inverse of `transformers_name`.

    >>> gguf_name("model.layers.3.self_attn.q_proj.weight")
    'blk.3.attn_q.weight'

    Raises:
        DataError: A Llama has no such weight.
    """
    found = re.fullmatch(r"model\.layers\.(\d+)\.([\w.]+)\.weight", name)
    if found and found[2] in FROM_LAYER:
        return f"blk.{found[1]}.{FROM_LAYER[found[2]]}.weight"
    if name in FROM_WHOLE:
        return FROM_WHOLE[name]
    raise DataError(f"the weights must be a Llama's; got {name}; a model of another architecture?")


def interleaved(weight: Tensor, *, heads: int) -> Tensor:
    """Order the rows of a query or key projection as GGUF has them: pairs that rotate together side by side.

    Args:
        weight: [heads x size, D], each head's first half of rows rotating with its second half.
        heads: Of this projection.
    """
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2).contiguous()


def halved(weight: Tensor, *, heads: int) -> Tensor:
    """Order the rows as transformers has them, the inverse of `interleaved`."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2).contiguous()


def _heads(name: str, config: Mapping) -> int:
    """Return how many heads a weight's rows belong to; 0 where they do not rotate."""
    if ".attn_q." in name:
        return config["num_attention_heads"]
    return config["num_key_value_heads"] if ".attn_k." in name else 0


def transformers_state(tensors: Mapping[str, Tensor], config: Mapping) -> dict[str, Tensor]:
    """Return transformers' weights of a Llama.

    Args:
        tensors: By GGUF's names.
        config: With num_attention_heads and num_key_value_heads.

    Raises:
        DataError: A weight is no Llama's.
    """
    state = {}
    for name, weight in tensors.items():
        heads = _heads(name, config)
        state[transformers_name(name)] = halved(weight, heads=heads) if heads else weight
    return state


def gguf_tensors(state: Mapping[str, Tensor], config: Mapping) -> dict[str, Tensor]:
    """Return GGUF's weights of a Llama, the inverse of `transformers_state`; a tied output is left out."""
    tensors = {}
    for theirs, weight in state.items():
        if theirs == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        name = gguf_name(theirs)
        heads = _heads(name, config)
        tensors[name] = (interleaved(weight, heads=heads) if heads else weight).to(torch.float32)
    return tensors

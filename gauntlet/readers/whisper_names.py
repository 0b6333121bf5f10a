"""CTranslate2's names of Whisper's weights, turned into those of transformers' `WhisperForConditionalGeneration`."""

from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.readers.ctranslate2 import Weights

NORM = {"gamma": "weight", "beta": "bias"}
PLAIN = {
    "encoder/conv1": "model.encoder.conv1",
    "encoder/conv2": "model.encoder.conv2",
    "encoder/layer_norm": "model.encoder.layer_norm",
    "encoder/position_encodings/encodings": "model.encoder.embed_positions.weight",
    "decoder/embeddings": "model.decoder.embed_tokens",
    "decoder/layer_norm": "model.decoder.layer_norm",
    "decoder/position_encodings/encodings": "model.decoder.embed_positions.weight",
}
INSIDE = {
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_2": "encoder_attn.out_proj",
}
FUSED = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
}
SETTINGS = ("num_heads", "activation", "alibi", "pre_norm", "scale_embeddings", "start_from_zero_embedding")
NOT_USED = ("alignment_heads", "alignment_layer")


def transformers_state(weights: Weights) -> dict[str, Tensor]:
    """Rename and part the weights of a Whisper that CTranslate2 holds.

    Query, key and value of self-attention, key and value of cross-attention are parted; Whisper's keys have no bias, so
    that CTranslate2's zeros in their place are dropped; the output layer is the embedding and is left out.

    Returns:
        Tensors by transformers' name, in the file's own kind, contiguous.

    Raises:
        DataError: It is no Whisper, a name is not known, or a key has a bias.
    """
    if weights.spec != "WhisperSpec":
        raise DataError(f"the model must be a WhisperSpec; got {weights.spec}; another model?")
    state: dict[str, Tensor] = {}
    for name, tensor in weights.tensors.items():
        last = name.rpartition("/")[2]
        if name == "decoder/projection/weight" or last in (*SETTINGS, *NOT_USED):
            continue
        state |= _renamed(name, tensor)
    return state


def _renamed(name: str, tensor: Tensor) -> dict[str, Tensor]:
    if name in PLAIN:
        return {PLAIN[name]: tensor}
    stem, _, last = name.rpartition("/")
    last = NORM.get(last, last)
    if stem in PLAIN:
        return {f"{PLAIN[stem]}.{last}": tensor}
    side, _, rest = stem.partition("/layer_")
    number, _, inside = rest.partition("/")
    prefix = f"model.{side}.layers.{number}"
    if inside in INSIDE:
        return {f"{prefix}.{INSIDE[inside]}.{last}": tensor}
    if inside not in FUSED:
        raise DataError(f"the weights must have Whisper's names; got {name}; a later CTranslate2?")
    parts = dict(zip(FUSED[inside], tensor.chunk(len(FUSED[inside])), strict=True))
    if last == "bias":
        key = next(part for part in parts if part.endswith("k_proj"))
        if parts.pop(key).any():
            raise DataError(f"keys of Whisper have no bias; got one other than zero in {name}; another model?")
    return {f"{prefix}.{part}.{last}": value.contiguous() for part, value in parts.items()}

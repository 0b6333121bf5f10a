"""Whisper's decoder: text tokens given what the encoder heard. Weights have transformers' names."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.models.whisper_encoder import Heard


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a decoder; the defaults are those of Whisper tiny.en.

    Attributes:
        width: Features D a token, a multiple of `heads`.
        heads: Of attention.
        hidden: Width between the two linear maps of a layer.
        layers: Transformer layers.
        tokens: Size of the vocabulary.
        positions: Tokens at most.
    """

    width: int = 384
    heads: int = 6
    hidden: int = 1536
    layers: int = 4
    tokens: int = 51_864
    positions: int = 448


@dataclass
class Cache:
    """Keys and values of the tokens so far and of the encoder's frames, by layer; filled as decoding goes."""

    own: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    heard: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    tokens: int = 0

    def take(self, rows: Tensor) -> None:
        """Keep these rows of the batch, int64."""
        for part in (self.own, self.heard):
            part.update({layer: (keys[rows], values[rows]) for layer, (keys, values) in part.items()})


class CrossAttention(nn.Module):
    """Attention of tokens on tokens, or of tokens on frames: the projections, and the mix."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj = nn.Linear(shape.width, shape.width)
        self.k_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.width)
        self.out_proj = nn.Linear(shape.width, shape.width)

    def project(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, B x heads x N x D/heads, of B x N x D."""
        return self._parted(self.k_proj(memory)), self._parted(self.v_proj(memory))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, *, mask: Tensor | None, causal: bool = False) -> Tensor:
        """Mix the values for each of x, B x N x D."""
        q = self._parted(self.q_proj(x))
        mixed = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def _parted(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class DecoderLayer(nn.Module):
    """A pre-norm layer: attention on the tokens so far, on the frames, two linear maps."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(shape.width)
        self.self_attn = CrossAttention(shape)
        self.encoder_attn_layer_norm = nn.LayerNorm(shape.width)
        self.encoder_attn = CrossAttention(shape)
        self.final_layer_norm = nn.LayerNorm(shape.width)
        self.fc1 = nn.Linear(shape.width, shape.hidden)
        self.fc2 = nn.Linear(shape.hidden, shape.width)

    def forward(self, x: Tensor, heard: Heard, *, cache: Cache, place: int) -> Tensor:
        """Return B x N x D for the tokens x; keys and values are kept in the cache under this layer's place."""
        normed = self.self_attn_layer_norm(x)
        keys, values = self.self_attn.project(normed)
        if place in cache.own:
            keys, values = (torch.cat(pair, dim=2) for pair in zip(cache.own[place], (keys, values), strict=True))
        cache.own[place] = keys, values
        # Several tokens at once only come first, so that the square causal mask is the right one.
        x = x + self.self_attn(normed, keys, values, mask=None, causal=x.shape[1] > 1)
        if place not in cache.heard:
            cache.heard[place] = self.encoder_attn.project(heard.values)
        normed = self.encoder_attn_layer_norm(x)
        x = x + self.encoder_attn(normed, *cache.heard[place], mask=heard.bias[:, None, None])
        return x + self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x))))


class WhisperDecoder(nn.Module):
    """Tokens in, scores of the next token out; the output layer is the embedding.

    Args:
        shape: Its sizes.
    """

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.tokens, shape.width)
        self.embed_positions = nn.Embedding(shape.positions, shape.width)
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.layers))
        self.layer_norm = nn.LayerNorm(shape.width)

    def forward(self, tokens: Tensor, heard: Heard, *, cache: Cache | None = None) -> Tensor:
        """Return the scores of the next token.

        Args:
            tokens: int64, B x N: a whole prefix, or with a filled cache one token more.
            heard: The encoder's output, normed.
            cache: Of the tokens before; filled in place.

        Returns:
            float32, B x N x vocabulary.
        """
        cache = Cache() if cache is None else cache
        begin, cache.tokens = cache.tokens, cache.tokens + tokens.shape[1]
        x = self.embed_tokens(tokens) + self.embed_positions.weight[begin : cache.tokens]
        for place, layer in enumerate(self.layers):
            x = layer(x, heard, cache=cache, place=place)
        return functional.linear(self.layer_norm(x), self.embed_tokens.weight).float()

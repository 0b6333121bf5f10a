"""CLIP's attention pooling as a module of its own, and the part of a ViT CLIP that plays its role.

Either takes a trunk's maps, B x C x h x w, to features, B x D, and can be trained while the trunk stays as it is.
"""

import copy
from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError


class Pool(Protocol):
    """What turns a trunk's maps into image features; an `nn.Module` too."""

    def __call__(self, maps: Tensor) -> Tensor:
        """Return features, B x D, not normalised."""

    def attention(self, maps: Tensor) -> Tensor:
        """Return what each head looks at, B x heads x (positions + 1), the summary token first."""


def attend(query: Tensor, tokens: Tensor, *, k_proj: nn.Linear, heads: int) -> Tensor:
    """Return one query's attention over the tokens.

    The keys are never made: the query goes through their weights instead, which is T times cheaper and the same.

    Args:
        query: B x C, projected.
        tokens: B x T x C, not projected.
        k_proj: The keys' projection, C to C.
        heads: Divides C.

    Returns:
        B x heads x T, each row summing to 1.
    """
    width = query.shape[-1] // heads
    query = query.unflatten(-1, (heads, width)) * width**-0.5
    through = torch.einsum("bhd,hdc->bhc", query, k_proj.weight.unflatten(0, (heads, width)))
    # The bias moves every score of a head alike; it is kept for the sake of the eight tensors.
    bias = torch.einsum("bhd,hd->bh", query, k_proj.bias.unflatten(0, (heads, width)))
    return (torch.einsum("bhc,btc->bht", through, tokens) + bias[..., None]).softmax(-1)


def gather(weights: Tensor, tokens: Tensor, *, v_proj: nn.Linear, c_proj: nn.Linear) -> Tensor:
    """Return the weighted sum of the values, projected; the values of single tokens are never made.

    Args:
        weights: B x heads x T, from `attend`.
        tokens: B x T x C, not projected.
        v_proj: The values' projection, C to C.
        c_proj: The output's, C to D.
    """
    heads = weights.shape[1]
    seen = torch.einsum("bht,btc->bhc", weights, tokens)
    values = torch.einsum("bhc,hdc->bhd", seen, v_proj.weight.unflatten(0, (heads, -1))).flatten(1)
    return c_proj(values + v_proj.bias)


def _check(*projections: nn.Linear, channels: int, heads: int) -> None:
    if heads < 1 or channels % heads:
        raise ArgumentError(f"heads must divide the {channels} channels; got {heads}")
    if wrong := [p for p in projections if p.in_features != channels or p.bias is None]:
        raise ArgumentError(f"each projection must have a bias and take {channels} channels; got {wrong[0]}")
    if any(p.out_features != channels for p in projections[:3]):
        raise ArgumentError(f"query, key and value must keep the {channels} channels; another kind of pooling?")


class AttentionPool(nn.Module):
    """The attention pooling of a ResNet CLIP: the mean of the maps asks, the mean and all positions answer.

    Trainable are the weights and biases of four projections, eight tensors; the positional embedding is a buffer.

    Args:
        positional_embedding: (h w + 1) x C, the mean's first.
        q_proj: C to C.
        k_proj: C to C.
        v_proj: C to C.
        c_proj: C to D.
        heads: Divides C.

        learn_positions: Train the positional embedding too: for pre-training alone.

    Raises:
        ArgumentError: Shapes that do not fit each other.

    Source: Radford et al., ICML 2021, section 2.4; SAFE tunes this module alone. That the positional embedding stays is
        our reading.
    """

    def __init__(
        self,
        positional_embedding: Tensor,
        *,
        q_proj: nn.Linear,
        k_proj: nn.Linear,
        v_proj: nn.Linear,
        c_proj: nn.Linear,
        heads: int,
        learn_positions: bool = False,
    ) -> None:
        super().__init__()
        _check(q_proj, k_proj, v_proj, c_proj, channels=positional_embedding.shape[-1], heads=heads)
        positions = positional_embedding.detach().clone()
        if learn_positions:
            self.positional_embedding = nn.Parameter(positions)
        else:
            self.register_buffer("positional_embedding", positions)
        self.q_proj, self.k_proj, self.v_proj, self.c_proj = q_proj, k_proj, v_proj, c_proj
        self.heads = heads

    @classmethod
    def from_open_clip(cls, module: nn.Module, *, learn_positions: bool = False) -> Self:
        """Copy an `open_clip.modified_resnet.AttentionPool2d`, or another of these."""
        heads = module.heads if isinstance(module, AttentionPool) else module.num_heads
        parts = {name: copy.deepcopy(getattr(module, name)) for name in ("q_proj", "k_proj", "v_proj", "c_proj")}
        return cls(module.positional_embedding, **parts, heads=heads, learn_positions=learn_positions)

    def forward(self, maps: Tensor) -> Tensor:
        """Return features, B x D, not normalised, of maps, B x C x h x w."""
        tokens = self._tokens(maps)
        weights = attend(self.q_proj(tokens[:, 0]), tokens, k_proj=self.k_proj, heads=self.heads)
        return gather(weights, tokens, v_proj=self.v_proj, c_proj=self.c_proj)

    def attention(self, maps: Tensor) -> Tensor:
        """Return what each head looks at, B x heads x (h w + 1), the mean first."""
        tokens = self._tokens(maps)
        return attend(self.q_proj(tokens[:, 0]), tokens, k_proj=self.k_proj, heads=self.heads)

    def _tokens(self, maps: Tensor) -> Tensor:
        places = maps.flatten(2).transpose(1, 2)
        positions = self._positions(*maps.shape[1:])
        return torch.cat([places.mean(1, keepdim=True), places], 1) + positions

    def _positions(self, channels: int, height: int, width: int) -> Tensor:
        """Return the positional embedding, or in pre-training its like for maps of another size."""
        known, own = len(self.positional_embedding) - 1, self.positional_embedding.shape[1]
        if channels == own and height * width == known:
            return self.positional_embedding
        side = round(known**0.5)
        if channels != own or not isinstance(self.positional_embedding, nn.Parameter) or side**2 != known:
            raise ArgumentError(
                f"maps must have {own} channels and {known} positions; got {channels} x {height} x {width}; "
                "pictures of another size?"
            )
        grid = self.positional_embedding[1:].T.unflatten(1, (side, side))[None]
        grid = functional.interpolate(grid, (height, width), mode="bilinear", align_corners=False)
        return torch.cat([self.positional_embedding[:1], grid[0].flatten(1).T])


class Remainder(nn.Module):
    """What a ViT does to its class token after the last attention: norm and MLP added to it, and the last norm."""

    def __init__(self, block: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.ln_2, self.mlp, self.ls_2, self.norm = map(copy.deepcopy, (block.ln_2, block.mlp, block.ls_2, norm))

    def forward(self, summary: Tensor) -> Tensor:
        """Return the normalised class token, B x C."""
        return self.norm(summary + self.ls_2(self.mlp(self.ln_2(summary))))


class TokenPool(nn.Module):
    """The analogue in a ViT CLIP: the last block, asked by the class token alone, and the final projection.

    Trainable are the block's attention (eight tensors) and the projection; its norms and its MLP stay.

    Args:
        tower: An `open_clip.transformer.VisionTransformer` that gives its class token, projected.

    Raises:
        ArgumentError: It pools in another way, or its last block is of another kind.

    Source: ours; how the paper treats a ViT is not known to us.
    """

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        block = tower.transformer.resblocks[-1]
        attention = getattr(block, "attn", None)
        plain = isinstance(attention, nn.MultiheadAttention) and attention.in_proj_weight is not None
        token = tower.attn_pool is None and tower.pool_type == "tok" and not tower.final_ln_after_pool
        if not plain or not token or tower.proj is None:
            raise ArgumentError(
                "a ViT must end in plain attention, its class token and a projection; this one does not"
            )
        self.heads = attention.num_heads
        self.q_proj, self.k_proj, self.v_proj = (
            _linear(weight, bias)
            for weight, bias in zip(attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True)
        )
        # A layer scale after the attention is part of its output projection.
        scale = getattr(block.ls_1, "gamma", torch.ones(len(attention.out_proj.bias)))
        self.c_proj = _linear(attention.out_proj.weight * scale[:, None], attention.out_proj.bias * scale)
        self.before = copy.deepcopy(block.ln_1).requires_grad_(False)
        self.rest = Remainder(block, tower.ln_post).requires_grad_(False)
        self.projection = nn.Parameter(tower.proj.detach().clone())

    def forward(self, maps: Tensor) -> Tensor:
        """Return features, B x D, not normalised, of tokens as maps, B x C x 1 x T, the class token first."""
        tokens = maps.flatten(2).transpose(1, 2)
        told = self.before(tokens)
        weights = attend(self.q_proj(told[:, 0]), told, k_proj=self.k_proj, heads=self.heads)
        summary = tokens[:, 0] + gather(weights, told, v_proj=self.v_proj, c_proj=self.c_proj)
        return self.rest(summary) @ self.projection

    def attention(self, maps: Tensor) -> Tensor:
        """Return what each head looks at, B x heads x T, the class token first."""
        told = self.before(maps.flatten(2).transpose(1, 2))
        return attend(self.q_proj(told[:, 0]), told, k_proj=self.k_proj, heads=self.heads)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return layer

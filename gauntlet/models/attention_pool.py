"""CLIP's attention pooling as a module of its own, and the part of a ViT CLIP that plays its role.

Either takes a trunk's maps, B x C x h x w, to features, B x D, and can be trained while the trunk stays as it is.
"""

from typing import Protocol

import torch
from torch import Tensor, nn


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

    Source: Radford et al., ICML 2021, section 2.4; SAFE tunes this module alone (equation u_j = softmax(q k / sqrt d)).
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
    ) -> None:
        super().__init__()
        self.register_buffer("positional_embedding", positional_embedding.detach().clone())
        self.q_proj, self.k_proj, self.v_proj, self.c_proj = q_proj, k_proj, v_proj, c_proj
        self.heads = heads

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
        return torch.cat([places.mean(1, keepdim=True), places], 1) + self.positional_embedding


class TokenPool(nn.Module):
    """The analogue in a ViT CLIP: the last block, asked by the class token alone, and the final projection.

    Trainable are the block's attention (eight tensors) and the projection; its norms and its MLP stay.

    Args:
        q_proj: C to C.
        k_proj: C to C.
        v_proj: C to C.
        c_proj: C to C, the attention's output.
        heads: Divides C.
        before: Norm before the attention.
        rest: From the class token after the attention, B x C, to B x C: norm and MLP added to it, and the last norm.
        projection: C x D.

    Source: ours; how the paper treats a ViT is not known to us.
    """

    def __init__(
        self,
        *,
        q_proj: nn.Linear,
        k_proj: nn.Linear,
        v_proj: nn.Linear,
        c_proj: nn.Linear,
        heads: int,
        before: nn.Module,
        rest: nn.Module,
        projection: Tensor,
    ) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.c_proj = q_proj, k_proj, v_proj, c_proj
        self.heads = heads
        self.before, self.rest = before.requires_grad_(False), rest.requires_grad_(False)
        self.projection = nn.Parameter(projection.detach().clone())

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

"""T2T-ViT with transformers as tokens-to-token steps, which timm does not bring; weights have the authors' names.

Source: Yuan et al., ICCV 2021, tables 1 and 2. Without dropout, for it is built to be tested.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.models.preprocessing import NAMED, Normalized

TOKEN_CHANNELS = 64
SPLITS = ((7, 4, 2), (3, 2, 1), (3, 2, 1))
"""Kernel, stride and padding of the three soft splits; together they step by 16 px."""


class TokenAttention(nn.Module):
    """One head of attention from D to fewer channels; the values stand in for the input in the shortcut."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.scale = inside**-0.5
        self.qkv = nn.Linear(inside, 3 * outside, bias=False)
        self.proj = nn.Linear(outside, outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x N x D tokens to B x N x D'."""
        queries, keys, values = self.qkv(x).chunk(3, dim=-1)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, scale=self.scale)
        return values + self.proj(mixed)


class TokenTransformer(nn.Module):
    """Attention and a perceptron on the pixels of one soft split."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        from timm.layers import Mlp

        self.norm1, self.attn = nn.LayerNorm(inside), TokenAttention(inside, outside)
        self.norm2, self.mlp = nn.LayerNorm(outside), Mlp(outside, outside)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x N x D tokens to B x N x D'."""
        x = self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TokensToToken(nn.Module):
    """Three soft splits with overlap, a transformer after the first two, and a projection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention1 = TokenTransformer(3 * 7 * 7, TOKEN_CHANNELS)
        self.attention2 = TokenTransformer(TOKEN_CHANNELS * 3 * 3, TOKEN_CHANNELS)
        self.project = nn.Linear(TOKEN_CHANNELS * 3 * 3, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W pixels to B x N x D tokens."""
        for (size, stride, padding), attend in zip(SPLITS, (self.attention1, self.attention2, None), strict=True):
            height, width = ((side + 2 * padding - size) // stride + 1 for side in x.shape[-2:])
            tokens = functional.unfold(x, size, stride=stride, padding=padding).transpose(1, 2)
            if attend is not None:
                x = attend(tokens).transpose(1, 2).unflatten(2, (height, width))
        return self.project(tokens)


class T2TViT(nn.Module):
    """Tokens-to-token steps under a deep and narrow transformer, for 224 px."""

    def __init__(self, *, classes: int, channels: int, depth: int, heads: int) -> None:
        super().__init__()
        from timm.models.vision_transformer import Block

        self.tokens_to_token = TokensToToken(channels)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.pos_embed = nn.Parameter(sinusoids(14**2 + 1, channels)[None], requires_grad=False)
        blocks = [Block(channels, heads, mlp_ratio=3.0, norm_layer=nn.LayerNorm) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised B x 3 x 224 x 224 pixels to B x classes logits."""
        tokens = self.tokens_to_token(x)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(tokens))[:, 0])


def sinusoids(positions: int, channels: int) -> Tensor:
    """Return the fixed position code (Vaswani et al., NeurIPS 2017): positions x channels, sine and cosine in turn."""
    rate = 10000.0 ** (-2 * (np.arange(channels) // 2) / channels)
    angle = np.arange(positions)[:, None] * rate
    return torch.from_numpy(np.where(np.arange(channels) % 2 == 0, np.sin(angle), np.cos(angle))).float()


def t2t_vit_14(*, classes: int = 1000, preprocessing: str = "imagenet") -> Normalized:
    """Build T2T-ViT_t-14 (21.5 million weights) for pixels in [0, 1]."""
    return Normalized(T2TViT(classes=classes, channels=384, depth=14, heads=6), NAMED[preprocessing])


def t2t_vit_19(*, classes: int = 1000, preprocessing: str = "imagenet") -> Normalized:
    """Build T2T-ViT_t-19 (39.2 million weights) for pixels in [0, 1]."""
    return Normalized(T2TViT(classes=classes, channels=448, depth=19, heads=7), NAMED[preprocessing])


def t2t_vit_24(*, classes: int = 1000, preprocessing: str = "imagenet") -> Normalized:
    """Build T2T-ViT_t-24 (64.1 million weights) for pixels in [0, 1]."""
    return Normalized(T2TViT(classes=classes, channels=512, depth=24, heads=8), NAMED[preprocessing])

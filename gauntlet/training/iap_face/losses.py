"""The losses of IAP: fidelity, message, and feature-level correlation of what editors make of a face."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.metrics.disruption import CHANGED, DISRUPTED

SHARPNESS = 2.0
"""How steeply the share of an edit that survives falls with the logarithm of its masked L2."""


class Phi(Protocol):
    """A face network."""

    def features(self, x: Tensor) -> Sequence[Tensor]:
        """Return feature maps of pixels in [0, 1], [B, C, H, W] each."""


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Return Pearson's correlation of two feature tensors over all but the first dimension, [B] in [-1, 1].

    Source: IAP, the feature-level correlation. A scale and an offset of either leave it as it is, which the mean square
    error does not.
    """
    a, b = (each.float().flatten(1) for each in (a, b))
    a, b = (each - each.mean(1, keepdim=True) for each in (a, b))
    return functional.cosine_similarity(a, b, dim=1)


def feature_correlation(phi: Phi, x: Tensor, y: Tensor) -> Tensor:
    """Return the correlation of the features of two batches of pictures, the mean over the depths, [B]."""
    pairs = zip(phi.features(x), phi.features(y), strict=True)
    return torch.stack([correlation(a, b) for a, b in pairs]).mean(0)


def image_loss(x_p: Tensor, x: Tensor, *, eps: float) -> Tensor:
    """Return the mean square error in units of eps squared, plus 1 - the correlation of the pixels.

    Source: IAP, L_img. The unit is ours: the weight then means the same at every eps.
    """
    return functional.mse_loss(x_p, x) / eps**2 + (1 - correlation(x_p, x)).mean()


def message_loss(views: Sequence[Tensor], message: Tensor) -> Tensor:
    """Return the cross-entropy of the logits of several views, [B, L] each, the mean over views."""
    return torch.stack([functional.binary_cross_entropy_with_logits(view, message) for view in views]).mean()


def surviving(edited_protected: Tensor, edited: Tensor, x: Tensor) -> Tensor:
    """Return the share of edits that are not disrupted, softly: the mean over faces of 1 / (1 + (m / 0.05)^2).

    m is the masked L2 that `gauntlet.metrics.disruption` counts; at its threshold an edit counts half. Faces that
    hardly give way, for which a change of sign disrupts as much, have next to no slope and do not drown the others.

    Args:
        edited_protected: G(x_p), [B, 3, H, W] in [0, 1].
        edited: G(x).
        x: The clean faces; where an edit changes no pixel of one, its whole picture counts.

    Source: the success that CMUA (AAAI 2022) counts, made a loss; it is ours to add it to IAP's correlation, which a
    change of detail outside the region lowers as well.
    """
    region = ((2 * (edited - x)).abs().sum(1, keepdim=True) > CHANGED).float()
    region = torch.where(region.flatten(1).any(1)[:, None, None, None], region, 1.0)
    squares = (2 * (edited_protected - edited)).square() * region
    masked = squares.flatten(1).sum(1) / (x.shape[1] * region.flatten(1).sum(1))
    return torch.sigmoid(-SHARPNESS * torch.log(masked.clamp_min(1e-6) / DISRUPTED)).mean()

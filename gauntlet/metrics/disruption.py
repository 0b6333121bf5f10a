"""Whether a protection disrupts an edit: L2 between the two edited pictures, over the whole and over the edited region.

Pixels come in [0, 1]; the distances are on [-1, 1], as in the literature.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, wilson

CHANGED = 0.5
"""A pixel is edited where its channels change by more than this in sum."""

DISRUPTED = 0.05
"""Masked L2 above which an edit counts as disrupted."""


class Disruption(NamedTuple):
    """One row a picture, each a tensor [B].

    Attributes:
        l2: Mean square difference of the edited pictures.
        masked_l2: The same over the edited region alone; 0 where the edit changes nothing.
        changed: Whether the edit of the clean picture changes anything.
        disrupted: masked_l2 above the threshold, of those that change.
    """

    l2: Tensor
    masked_l2: Tensor
    changed: Tensor
    disrupted: Tensor


class Protection(NamedTuple):
    """How many edits a protection disrupts: the rate over the edits that change something, and those that do not."""

    rate: Interval
    no_change: int


def disruption(
    x: Tensor, edited: Tensor, edited_protected: Tensor, *, changed: float = CHANGED, disrupted: float = DISRUPTED
) -> Disruption:
    """Compare the edit of a protected picture with that of the clean one.

    Args:
        x: B x 3 x H x W, clean, in [0, 1].
        edited: G(x).
        edited_protected: G(x_p).
        changed: Sum over channels of |G(x) - x| above which a pixel belongs to the region, on [-1, 1].
        disrupted: Masked L2 above which an edit is disrupted, on [-1, 1].

    Raises:
        ArgumentError: The shapes differ.

    Source: CMUA, AAAI 2022, its code. There the mask keeps values of exactly 0.5, and a picture that the edit leaves
    alone gives NaN; here it is counted apart.
    """
    if not x.shape == edited.shape == edited_protected.shape or x.dim() != 4:
        shapes = ", ".join(str(list(each.shape)) for each in (x, edited, edited_protected))
        raise ArgumentError(f"the three pictures must be B x C x H x W of one shape; got {shapes}")
    region = ((2 * (edited - x)).abs().sum(1, keepdim=True) > changed).to(x.dtype)
    squares = (2 * (edited_protected - edited)).square()
    size = region.flatten(1).sum(1)
    masked = (squares * region).flatten(1).sum(1) / (x.shape[1] * size).clamp_min(1)
    return Disruption(squares.flatten(1).mean(1), masked, size > 0, (masked > disrupted) & (size > 0))


def protection(rows: Disruption) -> Protection:
    """Return the protection rate, with Wilson's interval; of no width at 0 where no edit changes anything."""
    n = int(rows.changed.sum())
    rate = wilson(int(rows.disrupted.sum()), n) if n else Interval(0.0, 0.0, 0.0, 0)
    return Protection(rate, len(rows.changed) - n)


def joined(parts: list[Disruption]) -> Disruption:
    """Return the rows of several batches as one."""
    return Disruption(*(torch.cat(column) for column in zip(*parts, strict=True)))

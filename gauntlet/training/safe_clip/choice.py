"""Which of several candidates the validation shots choose."""

from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.errors import DataError


class Held(NamedTuple):
    """How candidates do on the validation shots.

    Attributes:
        top1: float64, [K], in [0, 1].
        loss: float64, [K], mean cross-entropy.
    """

    top1: Tensor
    loss: Tensor

    def best(self) -> int:
        """Return the place of the highest top1, of equals that of the least loss, of equals the first.

        A shot a class makes for many equals: without the loss the grid's corner would be taken.
        """
        order = self.loss.masked_fill(self.top1 < self.top1.max(), torch.inf)
        return int(order.argmin())


def held_out(logits: Tensor, labels: Tensor) -> Held:
    """Compare each candidate's answers with the labels.

    Args:
        logits: [K, N, classes].
        labels: int64, [N].

    Raises:
        DataError: There is no validation shot.
    """
    if not len(labels):
        raise DataError("there must be validation shots to choose on; got none; an empty val split?")
    log = logits.log_softmax(-1)
    loss = -log.gather(-1, labels.expand(len(logits), -1)[..., None]).double().mean((1, 2))
    return Held((logits.argmax(-1) == labels).double().mean(1), loss.nan_to_num(torch.inf, posinf=torch.inf))

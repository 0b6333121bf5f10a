"""The images that a model gets right, with all that an attack asks about them: wrong ones need no attack."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from gauntlet.attacks.checks import check_inputs, check_logits
from gauntlet.attacks.noise import Noise
from gauntlet.errors import ArgumentError

ROWS = {"cpu": (32, 256), "cuda": (512, 512)}
"""Rows of a forward pass where nothing else is asked, for large and for small images."""
# Values that the rows of small images hold at most, on a CPU: past that larger batches gain nothing and cost memory.
_VALUES = 2**22

# Odd, so that no two runs below 2^64 share a stream.
_RUN = 0x2545F4914F6CDD1D


@dataclass(frozen=True)
class Standing:
    """Images that still stand.

    Attributes:
        index: int64 [S], their places in the batch that was handed in.
        x: float32, S x C x H x W.
        y: int64 [S].
        eps: float32 [S].
        logits: S x K, the model's on x: no attack asks for them again.
        noise: Their random streams.
        batch: Rows of a forward pass, at most.
    """

    index: Tensor
    x: Tensor
    y: Tensor
    eps: Tensor
    logits: Tensor
    noise: Noise
    batch: int

    def keep(self, which: Tensor) -> Self:
        """Return those that stay, bool [S] or indices."""
        rest = (part[which] for part in (self.index, self.x, self.y, self.eps, self.logits))
        return type(self)(*rest, self.noise.keep(which), self.batch)

    def streams(self, image: Tensor, run: Tensor) -> Noise:
        """Return fresh streams, one for each pair of an image and the number of a run over it."""
        return Noise(self.noise.streams[image] + (run + 1) * _RUN)

    def towards(self, targets: int) -> Tensor:
        """Return the true class beside each of the likeliest wrong ones, int64, S x targets x 2, likeliest first.

        Args:
            targets: At least 1; all wrong classes if there are fewer.

        Raises:
            ArgumentError: Fewer than one target.
        """
        if targets < 1:
            raise ArgumentError(f"targets must be at least 1; got {targets}")
        true = torch.nn.functional.one_hot(self.y, self.logits.shape[1]).bool()
        wrong = self.logits.masked_fill(true, -torch.inf)
        rivals = wrong.topk(min(targets, wrong.shape[1] - 1), dim=1).indices
        return torch.stack([self.y[:, None].expand_as(rivals), rivals], 2)


@torch.no_grad()
def standing(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    norm: str,
    batch: int | None,
    generator: torch.Generator,
) -> Standing:
    """Check the input, ask the model once about every image, and return those that it gets right.

    Args:
        model, x, y, eps, norm, batch, generator: As every attack's, see `gauntlet.attacks`.

    Raises:
        ArgumentError: Input or logits that no attack can use; a batch below 1.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    batch = _rows(x) if batch is None else batch
    if batch < 1:
        raise ArgumentError(f"batch must be at least 1, the rows of one forward pass; got {batch}")
    noise = Noise.of(x, generator)
    radii = torch.as_tensor(eps, dtype=x.dtype, device=x.device).expand(len(x))
    logits = [model(images) for images in x.split(batch)] if len(x) else [x.new_zeros(0, 2)]
    clean = torch.cat(logits)
    check_logits(clean, y)
    index = (clean.argmax(1) == y).nonzero()[:, 0]
    return Standing(index, x[index], y[index], radii[index], clean[index], noise.keep(index), batch)


def _rows(x: Tensor) -> int:
    least, most = ROWS.get(x.device.type, (256, 256))
    return min(max(_VALUES // max(x[0].numel(), 1), least), most) if len(x) else least


def gap(logits: Tensor, pair: Tensor) -> Tensor:
    """Return by how much the target's logit exceeds the true one, [B].

    Args:
        logits: B x K.
        pair: int64 B x 2, the true class and the target, as `Standing.towards` gives them.
    """
    true, wanted = logits.gather(1, pair).unbind(1)
    return wanted - true

"""FAB: small steps along the decision boundary towards the image, for each of the likeliest wrong classes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.balls import lengths, per_image
from gauntlet.attacks.gradient import gradient
from gauntlet.attacks.hyperplanes import onto_hyperplane
from gauntlet.attacks.slots import Found, Look, Rows, search
from gauntlet.attacks.standing import Standing, gap, standing
from gauntlet.errors import ArgumentError

_OVERSHOOT = 1.05
_BACK = 0.9
_MOST_BIAS = 0.1
_TINY = 1e-8


def fab_targeted(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    steps: int = 100,
    targets: int = 9,
    norm: str = "linf",
    batch: int | None = None,
    generator: torch.Generator,
) -> Tensor:
    """Search the nearest adversarial point towards each target, until one lies within the radius.

    Args:
        model, x, y, eps, norm, batch: As every attack's, see `gauntlet.attacks`.
        steps: Projections towards each target, at least 1.
        targets: Classes, at least 1; all wrong ones if there are fewer.
        generator: On the CPU; one number is drawn from it, though there is no chance in one start at x.

    Returns:
        Like x, inside the ball and the box. Images that the model gets wrong, or that no run broke, are unchanged.

    Source: Croce and Hein, Minimally distorted adversarial examples, ICML 2020 (algorithm 1), towards targets and
        without the final search. They walk on when a point within the radius is found; here it is enough.
    """
    still = standing(model, x, y, eps=eps, norm=norm, batch=batch, generator=generator)
    found = approach(model, still, steps=steps, targets=targets, norm=norm)
    return x.index_copy(0, still.index, found.x_adv)


def approach(model: nn.Module, still: Standing, *, steps: int, targets: int, norm: str) -> Found:
    """Run targeted FAB over images that stand; arguments as in `fab_targeted`."""
    if steps < 1:
        raise ArgumentError(f"steps must be at least 1; got {steps}")
    labels = still.towards(targets)
    return search(_Boundary(model, still, labels, norm=norm, steps=steps), still, runs=labels.shape[1])


@dataclass
class _Edge(Rows):
    """A row of FAB: the image, its radius, its true and target class, and the point from which it projects next."""

    x: Tensor
    eps: Tensor
    labels: Tensor
    point: Tensor


class _Boundary:
    """FAB, one row a target."""

    def __init__(self, model: nn.Module, still: Standing, labels: Tensor, *, norm: str, steps: int) -> None:
        self.model, self.still, self.labels, self.norm, self.steps = model, still, labels, norm, steps

    def begin(self, image: Tensor, run: Tensor) -> _Edge:
        x = self.still.x[image]
        return _Edge(image, run, torch.zeros_like(run), x, self.still.eps[image], self.labels[image, run], x)

    def advance(self, rows: _Edge) -> Look:
        point = self._project(rows)
        wrong = self.model(point).argmax(1) != rows.labels[:, 0]
        delta = point - rows.x
        found = wrong & (lengths(delta, self.norm) <= rows.eps)
        rows.point = torch.where(wrong[:, None, None, None], rows.x + _BACK * delta, point)
        rows.step = rows.step + 1
        return Look(found, rows.step >= self.steps, point)

    def _project(self, rows: _Edge) -> Tensor:
        """Return where the linearised boundary lies, between the points nearest to the row's point and to x."""
        slope, _, short = gradient(self.model, rows.point, rows.labels, loss=gap)
        slope, point, x = (part.flatten(1) for part in (slope, rows.point, rows.x))
        short_at_x = short + (slope * (x - point)).sum(1)
        both = onto_hyperplane(
            torch.cat([point, x]), torch.cat([slope, slope]), -torch.cat([short, short_at_x]), norm=self.norm
        )
        near, far = lengths(both, self.norm).clamp_min(_TINY).chunk(2)
        bias = per_image((near / (near + far)).clamp_max(_MOST_BIAS), point)
        from_point, from_x = both.chunk(2)
        mixed = torch.lerp(point + _OVERSHOOT * from_point, x + _OVERSHOOT * from_x, bias)
        return mixed.clamp_(0, 1).view_as(rows.x)

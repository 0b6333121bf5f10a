"""Count the model calls of a whole robustness curve, 32 budgets, against a grid of 32 attacks.

Run as `python benchmarks/curve_calls.py`; prints one Markdown table. All get PGD with the same steps of eps/4 from
random starts, and a call is one image through the network, forwards or backwards. The grid is counted twice: as it is
usually run, every step on every image at every budget, and as `survives` runs it, where finished images leave. Exits
with 1 if `radius_between`, which decides the 32 budgets, takes more than SHARE of the calls of either grid, or if its
curve lies more than TOLERANCE from the usual grid's at any budget.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from benchmarks.digits_net import victim
from gauntlet.attacks.gradient import pgd, right
from gauntlet.attacks.radius import least_radius, radius_between
from gauntlet.attacks.survival import Attack, survives

SHARE, TOLERANCE = 0.25, 0.02


class Calls:
    """Images that a network maps within the block, forwards and backwards."""

    def __init__(self, model: nn.Module):
        self.forward = self.backward = 0
        self._model = model

    def __enter__(self) -> Self:
        self._hook = self._model.register_forward_hook(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _seen(self, _: nn.Module, __: tuple, logits: Tensor) -> None:
        self.forward += len(logits)
        if logits.requires_grad:
            logits.register_hook(self._back)

    def _back(self, slope: Tensor) -> None:
        self.backward += len(slope)


class Curve(NamedTuple):
    """Robust top-1 at each budget, and what it cost."""

    top1: Tensor
    calls: Calls


def pgd_quarter(steps: int, *, stop_early: bool = True) -> Attack:
    """Bind PGD's steps, each a quarter of the radius."""

    def attack(model: nn.Module, x: Tensor, y: Tensor, /, *, eps: float | Tensor, generator: torch.Generator) -> Tensor:
        return pgd(model, x, y, eps=eps, alpha=eps / 4, steps=steps, stop_early=stop_early, generator=generator)

    return attack


def counted(model: nn.Module, curve: Callable[[], Tensor]) -> Curve:
    """Compute a curve and count."""
    with Calls(model) as calls:
        top1 = curve()
    return Curve(top1, calls)


def main() -> int:
    """Print the table; 1 if what must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=float, default=0.32)
    parser.add_argument("--train-eps", type=float, default=0.15)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    net = victim(images=chosen.images, eps=chosen.train_eps, epochs=chosen.epochs, seed=0, device=chosen.device)
    budgets = [chosen.largest * step / 32 for step in range(1, 33)]
    settings = {"norm": "linf", "batch": 250}

    def grid(*, stop_early: bool) -> Tensor:
        attack, generator = pgd_quarter(chosen.steps, stop_early=stop_early), torch.Generator().manual_seed(0)
        runs = [survives(*net, attack=attack, eps=eps, **settings, generator=generator) for eps in budgets]
        return torch.stack(runs).float().mean(1)

    def search(*, on_grid: bool) -> Tensor:
        attack, generator = pgd_quarter(chosen.steps), torch.Generator().manual_seed(1)
        if on_grid:
            found = radius_between(*net, attack=attack, budgets=budgets, **settings, generator=generator)
        else:
            size = {"first": chosen.largest / 16, "doublings": 5, "bisections": 10}
            found = least_radius(*net, attack=attack, **size, **settings, generator=generator)
        return torch.stack([found.radius > eps for eps in budgets]).float().mean(1)

    curves = {
        "grid of 32, every step on every image": counted(net.model, lambda: grid(stop_early=False)),
        "grid of 32, finished images leave": counted(net.model, lambda: grid(stop_early=True)),
        "`radius_between`, the 32 budgets decided": counted(net.model, lambda: search(on_grid=True)),
        "`least_radius`, 5 doublings, 10 bisections": counted(net.model, lambda: search(on_grid=False)),
    }
    clean = float(right(*net).float().mean())
    print(
        f"n = {chosen.images} digits, PGD-{chosen.steps}, linf budgets to {chosen.largest}, "
        f"clean top-1 {100 * clean:.1f} %\n\n"
        "| curve | forward an image | backward | share of the grid's calls | of the early grid's | area "
        "| greatest distance from the grid |\n|---|---|---|---|---|---|---|"
    )
    totals = [curve.calls.forward + curve.calls.backward for curve in curves.values()]
    usual = next(iter(curves.values()))
    for (name, (top1, calls)), total in zip(curves.items(), totals, strict=True):
        print(
            f"| {name} | {calls.forward / chosen.images:.0f} | {calls.backward / chosen.images:.0f} "
            f"| {total / totals[0]:.3f} | {total / totals[1]:.3f} | {top1.mean():.3f} "
            f"| {100 * (top1 - usual.top1).abs().max():.1f} points |"
        )
    off = (list(curves.values())[2].top1 - usual.top1).abs().max()
    return 0 if totals[2] <= SHARE * totals[1] and off <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())

"""Time our attacks against torchattacks' on one network: the same images, budget and steps, by turns in one process.

Run as `python benchmarks/attacks_speed.py`; prints one Markdown table. Both sides are asked for one thing, which images
survive: ours through `survives`, clean and last forward pass included; theirs by their attack on the whole batch and
one forward pass. Processor time counts on a CPU, where other things run; the wall on a GPU. What leaves early is what
breaks, so the gain grows as the robust top-1 falls. Exits with 1 if the robust top-1 differs by more than TOLERANCE and
two standard errors over the seeds, or an attack is less than NEEDED times faster where half of the images or fewer
survive it. Ours counts an image as broken at any step, theirs at the last one: where eps is so large that the last
steps swing to and fro, a few images come back to theirs.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torchattacks
from torch import Tensor

from benchmarks.digits_net import Victim, trained, victim
from gauntlet.attacks.gradient import pgd, right
from gauntlet.attacks.survival import survives

NEEDED, TOLERANCE = 2.0, 0.003

Robust = Callable[[int], Tensor]
"""From a seed to which images survive, bool [N]."""


class Match(NamedTuple):
    """One attack on both sides."""

    ours: Robust
    theirs: Robust


def pgd_match(net: Victim, *, eps: float, batch: int, random_start: bool = False) -> Match:
    """Match PGD-50 with steps of eps/4, which is 2/255 at 8/255; from the image itself both sides go the same way."""
    settings = {"alpha": eps / 4, "steps": 50, "random_start": random_start}

    def ours(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return survives(*net, attack=partial(pgd, **settings), eps=eps, norm="linf", batch=batch, generator=generator)

    return Match(ours, partial(_theirs, net, torchattacks.PGD(net.model, eps=eps, **settings), batch))


def _theirs(net: Victim, attack: torchattacks.attack.Attack, batch: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    pairs = zip(net.x.split(batch), net.y.split(batch), strict=True)
    return torch.cat([right(net.model, attack(x, y), y) for x, y in pairs])


MATCHES: dict[str, Callable[..., Match]] = {
    "PGD-50": pgd_match,
    "PGD-50, random starts": partial(pgd_match, random_start=True),
}


class Timed(NamedTuple):
    """Robust top-1 and seconds of one side in one round."""

    top1: float
    seconds: float


def timed(robust: Robust, seed: int, *, device: str) -> Timed:
    """Run one side once."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    begin = clock()
    top1 = float(robust(seed).float().mean())
    return Timed(top1, clock() - begin)


def row(name: str, match: Match, *, eps: float, rounds: int, device: str) -> tuple[str, bool]:
    """Run both sides by turns; return the table's line and whether what must hold does."""
    ours, theirs = [], []
    for seed in range(rounds):
        ours.append(timed(match.ours, seed, device=device))
        theirs.append(timed(match.theirs, seed, device=device))
    gaps = [our.top1 - their.top1 for our, their in zip(ours, theirs, strict=True)]
    error = statistics.stdev(gaps) / rounds**0.5 if rounds > 1 else 0.0
    top1 = [statistics.mean(side.top1 for side in sides) for sides in (ours, theirs)]
    seconds = [statistics.median(side.seconds for side in sides) for sides in (ours, theirs)]
    ratios = sorted(their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True))
    ratio = statistics.median(ratios)
    line = (
        f"| {name} | {eps:.3f} | {100 * top1[0]:.2f} | {100 * top1[1]:.2f} | {100 * error:.2f} "
        f"| {seconds[0]:.2f} | {seconds[1]:.2f} | {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |"
    )
    return line, abs(top1[0] - top1[1]) <= TOLERANCE + 2 * error and (ratio >= NEEDED or top1[1] > 0.5)


def main() -> int:
    """Print the table; 1 if a line misses what must hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", nargs="+", choices=MATCHES, default=list(MATCHES))
    parser.add_argument("--eps", nargs="+", type=float, default=[0.15, 0.2, 0.225])
    parser.add_argument("--model", type=Path, help="a folder of data/models/fgsm_law, on objects32; else digits")
    parser.add_argument("--train-eps", type=float, default=0.15)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    net = (
        trained(chosen.model, images=chosen.images, device=chosen.device)
        if chosen.model
        else victim(images=chosen.images, eps=chosen.train_eps, epochs=chosen.epochs, seed=0, device=chosen.device)
    )
    clean = float(right(*net).float().mean())
    print(
        f"n = {len(net.y)}, {chosen.model or 'digits'}, {chosen.rounds} seeds, clean top-1 {100 * clean:.1f} %, "
        f"{chosen.threads} thread(s), {chosen.device}, {platform.machine()}, "
        f"torch {torch.__version__}, torchattacks {version('torchattacks')}\n"
    )
    print(
        "| attack | eps | robust top-1, ours | theirs | standard error of the gap "
        "| s, ours | s, theirs | times faster |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    holds = True
    for name in chosen.attacks:
        for eps in chosen.eps:
            match = MATCHES[name](net, eps=eps, batch=chosen.batch)
            line, holds_here = row(name, match, eps=eps, rounds=chosen.rounds, device=chosen.device)
            print(line, flush=True)
            holds &= holds_here
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

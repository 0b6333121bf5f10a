"""Time our AutoAttack (standard) against torchattacks' and the reference package's: one network, the same images.

Run as `python benchmarks/autoattack_speed.py`; prints one Markdown table. torchattacks' own defaults give APGD and FAB
10 steps, where the standard version has 100: it is given 100, or it would be another attack. Processor time counts on
a CPU, where other things run; the wall on a GPU. An image that survives costs all sides the same forward and backward
passes of the model, about 10,000, so that what can be won is what surrounds them: fewer and fuller passes where few
images survive, none for those that are broken. Exits with 1 if the robust top-1
differs by more than TOLERANCE and by more than the one image that a seed may decide on either side, or if ours is less
than NEEDED times faster than torchattacks' where at most FEW images survive.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pyautoattack
import torch
import torchattacks
from torch import Tensor

from benchmarks.digits_net import Victim, trained, victim
from gauntlet.attacks.autoattack import autoattack
from gauntlet.attacks.gradient import right

NEEDED, TOLERANCE, FEW = 2.0, 0.002, 10
NAMES = {"linf": "Linf", "l2": "L2"}
EPS = {"linf": 0.225, "l2": 3.0}


class Run(NamedTuple):
    """One side: robust top-1, survivors, seconds, forward passes and the images in them."""

    top1: float
    survivors: int
    seconds: float
    passes: int
    images: int


def ours(net: Victim, *, norm: str, eps: float, batch: int | None, seed: int) -> Tensor:
    """Return our adversarial images."""
    return autoattack(*net, eps=eps, norm=norm, batch=batch, generator=torch.Generator().manual_seed(seed))


def with_torchattacks(net: Victim, *, norm: str, eps: float, batch: int | None, seed: int) -> Tensor:
    """Return torchattacks', each part with the standard version's 100 steps."""
    attack = torchattacks.AutoAttack(net.model, norm=NAMES[norm], eps=eps, seed=seed)
    parts = attack._autoattack.attacks
    for part in parts.values() if isinstance(parts, dict) else parts:
        if hasattr(part, "steps"):
            part.steps = 100
    return attack(net.x, net.y)


def with_reference(net: Victim, *, norm: str, eps: float, batch: int | None, seed: int) -> Tensor:
    """Return the reference package's."""
    attack = pyautoattack.AutoAttack(net.model, norm=NAMES[norm], eps=eps, seed=seed, device=net.x.device)
    return attack.run_standard_evaluation(net.x, net.y, batch_size=len(net.x))[0]


SIDES: dict[str, Callable[..., Tensor]] = {
    "ours": ours,
    "torchattacks": with_torchattacks,
    "reference": with_reference,
}


def timed(side: str, net: Victim, *, norm: str, eps: float, batch: int | None, seed: int) -> Run:
    """Run one side on a copy of the network, whose passes are counted."""
    copy = net._replace(model=deepcopy(net.model))
    sizes: list[int] = []
    hook = copy.model.register_forward_hook(lambda _, __, logits: sizes.append(len(logits)))
    clock = time.process_time if net.x.device.type == "cpu" else time.perf_counter
    begin = clock()
    x_adv = SIDES[side](copy, norm=norm, eps=eps, batch=batch, seed=seed)
    survives = int(right(net.model, x_adv, net.y).sum())
    seconds = clock() - begin
    hook.remove()
    return Run(survives / len(net.x), survives, seconds, len(sizes), sum(sizes))


def line(name: str, run: Run, mine: Run, *, norm: str, eps: float) -> str:
    """Return the table's line of one side."""
    return (
        f"| {norm} {eps:.3f} | {name} | {100 * run.top1:.2f} | {run.survivors} | {run.seconds:.1f} | {run.passes} "
        f"| {run.images} | {run.seconds / mine.seconds:.2f} |"
    )


def main() -> int:
    """Print the table; 1 if what must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--norms", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--eps", nargs="+", type=float, help="a radius for each norm")
    parser.add_argument(
        "--sides", nargs="+", choices=[name for name in SIDES if name != "ours"], default=list(SIDES)[1:]
    )
    parser.add_argument("--model", type=Path, help="a folder of data/models/fgsm_law, on objects32; else digits")
    parser.add_argument("--train-eps", type=float, default=0.15)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--batch", type=int, help="rows of our forward pass; the device's default otherwise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    net = (
        trained(chosen.model, images=1000, device=chosen.device)
        if chosen.model
        else victim(images=1000, eps=chosen.train_eps, epochs=chosen.epochs, seed=0, device=chosen.device)
    )
    order = torch.randperm(len(net.y), generator=torch.Generator().manual_seed(chosen.seed))[: chosen.images]
    net = net._replace(x=net.x[order], y=net.y[order])
    print(
        f"n = {len(net.y)}, {chosen.model or 'digits'}, clean top-1 {100 * float(right(*net).float().mean()):.1f} %, "
        f"seed {chosen.seed}, {chosen.threads} thread(s), {chosen.device}, {platform.machine()}, "
        f"torch {torch.__version__}, torchattacks {version('torchattacks')}, pyautoattack {version('pyautoattack')}\n"
    )
    print("| budget | side | robust top-1 | survivors | s | passes | images in them | times ours |")
    print("|---|---|---|---|---|---|---|---|")
    holds = True
    for norm, eps in zip(chosen.norms, chosen.eps or [EPS[norm] for norm in chosen.norms], strict=True):
        settings = {"norm": norm, "eps": eps, "batch": chosen.batch, "seed": chosen.seed}
        mine = timed("ours", net, **settings)
        print(line("ours", mine, mine, norm=norm, eps=eps), flush=True)
        for name in chosen.sides:
            run = timed(name, net, **settings)
            print(line(name, run, mine, norm=norm, eps=eps), flush=True)
            fast = run.seconds >= NEEDED * mine.seconds
            holds &= abs(run.survivors - mine.survivors) <= max(TOLERANCE * len(net.x), 1)
            holds &= fast or name != "torchattacks" or run.survivors > FEW
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

"""Time adversarial training on one GPU against the same loop in plain float32, and AutoAttack on what it trained.

Run as `python benchmarks/gpu_training.py`; prints two Markdown tables and writes a record, within `--minutes`. It needs
torch, numpy and pillow alone. Without a GPU it takes a tiny network, few images and a shortened AutoAttack: that run
shows that the script works, and no speed.

FGSM-LAW (with its weight averaging) and PGD-AT train ResNet18 through `loop.train`, an epoch of each mode by turns:
- "float32": eager, TF32 off; what the ratios are against;
- "float32, TF32": the same with torch's own default on a GPU, convolutions in TF32;
- "fast": bfloat16, channels last, and on a GPU the network compiled.
The first epoch of each (compiling, warm-up) stays out of the figures. Pictures have CIFAR's size and are drawn at
random, a pattern a class under noise: the speed of training does not depend on them. AutoAttack's does, for what breaks
early is done: the robust share of its images stands beside its rate. It attacks what FGSM-LAW trained in float32,
TF32 off, and takes the network's own answers for labels, so that no image is wrong from the start.

Peak memory of a mode is what its run keeps (weights, momentum, average, gradients) and what a step adds, without
what the other runs keep and without the data set. On a GPU the script exits with 1 where FGSM-LAW is less than NEEDED
times faster than float32; anywhere, where something failed or took too long. The record holds what was measured.
"""

import argparse
import json
import math
import platform
import sys
import time
from dataclasses import asdict, fields, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor, nn

from benchmarks.training_rounds import (
    CLASSES,
    EPS,
    SHAPE,
    Budget,
    Plan,
    Runs,
    figures,
    measure,
    named,
    pictures,
    say,
    tf32,
    wait,
    warm_up,
)
from gauntlet.attacks.autoattack import PARTS, QUERIES, ROBUST, STEPS, standard
from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.images import TensorData

NEEDED = 3.0
RECORDS = Path(__file__).resolve().parent / "records"
PLANS = {
    "cuda": Plan(64, 7680, 128, 8, attacked=512, steps=STEPS, queries=QUERIES, compile=True),
    "cpu": Plan(8, 256, 64, 3, attacked=16, steps=10, queries=100, compile=False),
}


def attack(model: nn.Module, x: Tensor, *, plan: Plan, device: str, budget: Budget) -> dict:
    """Attack as many images as the time allows: a twentieth of the attack on all of them foretells it.

    Args:
        model: In eval mode.
        x: uint8, N x C x H x W.
        plan: Says how long the attack is.
        device: Where the model is.
        budget: Of the whole script.

    Raises:
        TimeoutError: Not one image fits.
    """
    x = x.to(device).float().div_(255)
    with torch.no_grad():
        y = model(x).argmax(1)

    def timed(images: int, *, steps: int, queries: int) -> tuple[Tensor, float]:
        wait(device)
        start, generator = time.perf_counter(), torch.Generator().manual_seed(plan.seed)
        settings = {"eps": EPS, "steps": steps, "queries": queries, "generator": generator}
        by = standard(model, x[:images], y[:images], **settings).by
        wait(device)
        return by, time.perf_counter() - start

    short = {"steps": math.ceil(plan.steps / 20), "queries": math.ceil(plan.queries / 20)}
    timed(len(x), steps=1, queries=1)
    foretold = timed(len(x), **short)[1] * max(plan.steps / short["steps"], plan.queries / short["queries"])
    # A fifth is kept back: fewer images fill the passes less.
    images = min(len(x), int(len(x) * max(0.0, budget.left()) / (1.2 * foretold)))
    say(f"AutoAttack: {foretold:.0f} s foretold for {len(x)} images, {images} taken")
    if not images:
        raise TimeoutError(f"{foretold:.0f} s foretold for {len(x)} images, {budget.left():.0f} s left")
    by, seconds = timed(images, steps=plan.steps, queries=plan.queries)
    return {
        "images": images,
        "seconds": seconds,
        "images_per_s": images / seconds,
        "robust": (by == ROBUST).double().mean().item(),
        "broken_by": {name: int((by == place).sum()) for place, name in enumerate(PARTS, 1)},
        "standard": (plan.steps, plan.queries) == (STEPS, QUERIES),
    }


def hardware(device: str) -> dict:
    """Return what it ran on."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    if not device.startswith("cuda"):
        return found | {"device": "CPU", "threads": torch.get_num_threads()}
    properties = torch.cuda.get_device_properties(device)
    return found | {
        "device": properties.name,
        "memory_gib": properties.total_memory / 2**30,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def benchmark(plan: Plan, *, device: str, budget: Budget, command: str) -> dict:
    """Measure everything and return the record."""
    problems: list[str] = []
    drawn = pictures(plan.images + plan.attacked, seed=plan.seed)
    data = TensorData(drawn.x[: plan.images], drawn.y[: plan.images]).to(device)
    runs = warm_up(data, plan=plan, device=device, budget=budget, problems=problems)
    training: dict = {}
    attacked = None
    try:
        measure(runs, rounds=plan.rounds, budget=budget)
        training = figures(runs, images=plan.images)
        attacked = _attacked(runs, drawn.x[plan.images :], plan=plan, device=device, budget=budget)
    except Exception as mistake:  # the record shall hold what came before
        problems.append(named(mistake))
    return {
        "command": command,
        "hardware": hardware(device),
        "plan": asdict(plan) | {"network": "resnet18", "eps": EPS, "classes": CLASSES, "shape": SHAPE},
        "training": training,
        "autoattack": attacked,
        "seconds": budget.spent(),
        "allowed_s": budget.seconds,
        "problems": problems + shortfalls(training, device=device, budget=budget),
    }


def _attacked(runs: Runs, x: Tensor, *, plan: Plan, device: str, budget: Budget) -> dict:
    victim = runs["fgsm_law", "float32"].model.eval()
    with tf32(False):
        return attack(victim, x, plan=plan, device=device, budget=budget)


def shortfalls(training: dict, *, device: str, budget: Budget) -> list[str]:
    """Return in words what must hold and does not."""
    found = []
    if device.startswith("cuda"):
        ratio = (training.get("fgsm_law", {}).get("fast") or {}).get("ratio")
        if ratio is None or ratio["median"] < NEEDED:
            came = f"{ratio['median']:.2f}" if ratio else "no figure"
            found.append(f"FGSM-LAW must be at least {NEEDED:.0f} times faster than float32; got {came}")
    if budget.left() < 0:
        found.append(f"it must end within {budget.seconds:.0f} s; it took {budget.spent():.0f}")
    return found


def spread_of(numbers: dict | None, form: str) -> str:
    """Write a median and its range."""
    if numbers is None:
        return "-"
    return "{} ({} to {})".format(*(format(numbers[name], form) for name in ("median", "low", "high")))


def tables(record: dict) -> str:
    """Return the record as Markdown."""
    made, plan = record["hardware"], record["plan"]
    lines = [
        f"{made['device']}, torch {made['torch']}, ResNet18 of width {plan['width']}, batches of {plan['batch']}, "
        f"n = {plan['images']} images a round, seed {plan['seed']}, {record['seconds']:.0f} s in all",
        "",
        "| method | mode | rounds | images/s | times faster than float32 | peak memory, MiB | first epoch, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, by_mode in record["training"].items():
        for name, one in by_mode.items():
            peak = "-" if one["peak_mib"] is None else f"{one['peak_mib']:.0f}"
            lines.append(
                f"| {method} | {name} | {one['images_per_s']['n']} | {spread_of(one['images_per_s'], '.0f')} "
                f"| {spread_of(one['ratio'], '.2f')} | {peak} | {one['first_epoch_s']:.1f} |"
            )
    if one := record["autoattack"]:
        kind = "standard" if one["standard"] else f"shortened: {plan['steps']} steps, {plan['queries']} queries"
        lines += ["", "| AutoAttack | images | robust, % | s | images/s |", "|---|---|---|---|---|"]
        robust, rate = f"{100 * one['robust']:.1f}", f"{one['images_per_s']:.2f}"
        lines.append(f"| {kind} | {one['images']} | {robust} | {one['seconds']:.1f} | {rate} |")
    return "\n".join([*lines, *(f"\n{problem}" for problem in record["problems"])])


def chosen_device(wish: str) -> str:
    """Return the device that is meant.

    Raises:
        SystemExit: There is none such.
    """
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(wish)
    if device.type not in PLANS or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise SystemExit(
            f"--device must be cpu or a GPU that torch sees ({torch.cuda.device_count()} here); got {wish}"
        )
    return wish


def main() -> int:
    """Measure, write the record and print the tables; 1 if what must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--minutes", type=float, default=8.0, help="all that the script may take")
    parser.add_argument("--record", type=Path, help="where; default: records/gpu_training.json, on a CPU ..._on_cpu")
    for one in fields(Plan):
        kind = {"action": argparse.BooleanOptionalAction} if one.type is bool else {"type": one.type}
        usual = ", ".join(f"{getattr(plan, one.name)} ({device})" for device, plan in PLANS.items())
        parser.add_argument(f"--{one.name}", **kind, help=f"default: {usual}")
    chosen = vars(parser.parse_args())
    device, minutes, path = chosen_device(chosen.pop("device")), chosen.pop("minutes"), chosen.pop("record")
    cuda = device.startswith("cuda")
    plan = PLANS["cuda" if cuda else "cpu"]
    try:
        plan = replace(plan, **{name: value for name, value in chosen.items() if value is not None})
    except ArgumentError as mistake:
        parser.error(str(mistake))
    command = " ".join(["python benchmarks/gpu_training.py", *sys.argv[1:]])
    record = benchmark(plan, device=device, budget=Budget(60 * minutes), command=command)
    path = path or RECORDS / ("gpu_training.json" if cuda else "gpu_training_on_cpu.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    print(tables(record))
    return 1 if record["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())

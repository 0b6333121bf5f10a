"""Train by several methods on the same pictures, seed by seed in turns: robust top-1, collapse, and seconds of each.

Run as `python -m benchmarks.fast_training --data objects32 --methods fgsm_law,pgd_at`; prints Markdown tables. What is
trained, and how, is the variant of that name in params.yaml's `fgsm_law.train`, through the very functions of that
stage: an option changes what it names and nothing else. A method without a variant on these data is trained as the
first one there, but for its own `settings` and `averaging`. The epoch is selected on held-out pictures; the test split
is attacked once, by PGD-50 as in `fgsm_law.score`. Seconds are processor time of this process on a CPU, where other
things run, and the wall's on a GPU; "training" is the loop alone, "with evaluation" adds the held-out attacks after
each epoch. What the tables hold, `training_tables.py` says.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import yaml
from torch import nn

from benchmarks.training_tables import HEAD, Run, row, summaries, table
from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.survival import right_in_batches, survives
from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, wilson
from gauntlet.metrics.overfitting import catastrophic_overfitting
from gauntlet.readers.labelled import Labelled
from gauntlet.training.fgsm_law import METHODS
from gauntlet.training.fgsm_law import build as build_method
from gauntlet.training.fgsm_law.loop import begin, steps_per_epoch, train
from gauntlet.training.fgsm_law.method import Setting
from gauntlet.training.selection import Best
from stages.fgsm_law import train as stage
from stages.labelled import Data, read, some
from stages.machine import machine

ROOT = Path(__file__).resolve().parent.parent
LAYOUTS = {"objects32": "objects", "digits": "digits"}
ATTACK_SEED, BATCH = 0, 250


class Pictures(NamedTuple):
    """The three splits."""

    train: Labelled
    val: Labelled
    test: Labelled


def settings_of(name: str, variants: Mapping[str, Mapping], *, layout: str) -> dict:
    """Return the parameters that a method is trained with on a data set.

    They are those of the variant of that name, else of one by that method, on these data if there is one. What was
    meant for other data keeps its method, settings and averaging; the rest is the recipe of these data.

    Raises:
        ArgumentError: Neither a variant nor a method.
    """
    if name not in variants and name not in METHODS:
        raise ArgumentError(f"a method must be one of {', '.join({**variants, **METHODS})}; got {name!r}")
    here = {key: one for key, one in variants.items() if one["data"] == {"layout": layout}}
    named = _called(name, here)
    if named:
        return dict(named)
    other = _called(name, variants) or {
        "method": name,
        "settings": {},
        "averaging": {"rule": "awa" if name == "fgsm_law" else "none"},
    }
    recipe = next(iter((here or variants).values()))
    own = {key: other[key] for key in ("method", "settings", "averaging")}
    return {**recipe, "data": {"layout": layout}, **own}


def _called(name: str, variants: Mapping[str, Mapping]) -> Mapping:
    """Return the variant of that name, else the first by that method, else nothing."""
    by_method = (one for one in variants.values() if one["method"] == name)
    return variants.get(name) or next(by_method, {})


def changed(values: Mapping, change: Mapping) -> dict:
    """Return parameters with others in their place, mappings key by key."""
    merged = dict(values)
    for key, value in change.items():
        merge = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = changed(merged[key], value) if merge else value
    return merged


def trained(params: stage.Params, pictures: Pictures, name: str) -> Run:
    """Train as the stage does, select the epoch as it does, and attack the test split."""
    device = machine().device
    held = some(pictures.val, params.measured, seed=params.seed).tensors()
    classes = len(pictures.train.class_names)
    setting = Setting(
        eps=params.eps,
        classes=classes,
        images=len(pictures.train),
        shape=tuple(held.x.shape[1:]),
        epochs=params.epochs,
        steps_per_epoch=steps_per_epoch(len(pictures.train), params.batch, whole=params.speed.compile),
        device=device,
    )
    settings = stage._settings(params, channels=held.x.shape[1])
    network = stage._network(params, settings, x=held.x[:2], classes=classes).to(device)
    method, best = build_method(params.method, params.settings), Best()
    state = stage._state(params, network, setting, method=method)
    begin(state, method, params.averaging.build(), setting=setting, speed=params.speed)
    state.extra["best"] = best
    loop = train(
        state,
        stage._pictures(params, pictures.train),
        setting=setting,
        batch=params.batch,
        how=params.augmentation,
        speed=params.speed,
        clip_norm=params.clip_norm,
    )
    clock = time.process_time if device == "cpu" else time.perf_counter
    history, training_s, wall_s, start = [], 0.0, 0.0, clock()
    for _ in range(params.epochs):
        since, since_wall = clock(), time.perf_counter()
        record = next(loop)  # ends with the epoch's mean loss, which waits for a GPU
        training_s, wall_s = training_s + clock() - since, wall_s + time.perf_counter() - since_wall
        history.append(record | stage._measure(params, state, held.x, y=held.y))
    whole_s, shadow = clock() - start, state.extra["averaging"].shadow
    if best.weights:
        shadow.load_state_dict(best.weights)
    found = catastrophic_overfitting(history, attacked=params.method != "plain")
    rates = tested(shadow.eval(), pictures.test, eps=params.eps, device=device)
    return Run(name, params.seed, *rates, best.epoch, found, training_s, whole_s, wall_s, history)


def tested(model: nn.Module, pictures: Labelled, *, eps: float, device: str) -> tuple[Interval, Interval]:
    """Return clean and PGD-50 top-1 on the test split."""
    x, y = (part.to(device) for part in pictures.tensors())
    x = x.float() / 255
    clean = right_in_batches(model, x, y, batch=BATCH)
    robust = survives(
        model,
        x,
        y,
        attack=partial(pgd, alpha=eps / 4, steps=50),
        eps=eps,
        norm="linf",
        batch=BATCH,
        generator=torch.Generator().manual_seed(ATTACK_SEED),
    )
    return wilson(int(clean.sum()), len(y)), wilson(int(robust.sum()), len(y))


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=LAYOUTS, default="objects32")
    parser.add_argument("--methods", default="fgsm_law,pgd_at", help="variants or methods; the last is the yardstick")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--eps", help="8/255")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--width", type=int, help="of the network")
    parser.add_argument("--images", type=int, help="training pictures; default: all")
    parser.add_argument("--test-images", type=int, help="default: all")
    parser.add_argument("--settings", type=json.loads, default={}, help='{"grad_align": {"lam": 0.2}}')
    parser.add_argument(
        "--params",
        type=json.loads,
        default={},
        help='further parameters by method, "*" for all: {"*": {"measured": 99}}',
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--built", type=Path, default=ROOT / "data", help="folder that holds built/ and raw/")
    parser.add_argument("--json", type=Path, help="where the record goes, rewritten after each run")
    return parser.parse_args()


def parameters(chosen: argparse.Namespace, name: str, *, variants: Mapping) -> dict:
    """Return one method's parameters, with what the command line changes."""
    values = settings_of(name, variants, layout=LAYOUTS[chosen.data])
    given = {key: getattr(chosen, key) for key in ("eps", "epochs", "batch", "lr")}
    change = {key: value for key, value in given.items() if value is not None}
    if chosen.width is not None:
        change["network"] = {"width": chosen.width}
    for each in (change, chosen.params.get("*", {}), chosen.params.get(name, {})):
        values = changed(values, each)
    return changed(values, {"settings": chosen.settings.get(name, {})})


def pictures_of(chosen: argparse.Namespace) -> Pictures:
    """Read the three splits, or the wanted part of them."""
    raw = chosen.built / "raw"
    places = {"images": chosen.built / "built" / "objects32", "digits": raw / "digits.tar"}
    data = Data(layout=LAYOUTS[chosen.data])
    counts = {"train": chosen.images, "val": None, "test": chosen.test_images}
    return Pictures(
        *(
            some(read(data, split, **places, folders=raw / "folders.json"), count, seed=0)
            for split, count in counts.items()
        )
    )


def made(chosen: argparse.Namespace, pictures: Pictures) -> dict:
    """Return what the figures were made with."""
    return {
        "command": " ".join(["python -m benchmarks.fast_training", shlex.join(sys.argv[1:])]),
        "device": torch.cuda.get_device_name(chosen.device) if chosen.device.startswith("cuda") else "CPU",
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "gauntlet": version("gauntlet")},
        "pictures": dict(zip(Pictures._fields, map(len, pictures), strict=True)),
        "clock": "processor time" if chosen.device == "cpu" else "wall",
    }


def main() -> int:
    """Train, attack, print; 1 if a run did not end."""
    chosen = options()
    os.environ["GAUNTLET_DEVICE"] = chosen.device
    torch.set_num_threads(chosen.threads)
    names, seeds = chosen.methods.split(","), [int(seed) for seed in chosen.seeds.split(",")]
    if unknown := {*chosen.settings, *chosen.params} - {*names, "*"}:
        raise SystemExit(f"--settings and --params must name methods that are trained; got {', '.join(unknown)}")
    variants = yaml.safe_load((ROOT / "params.yaml").read_text())["fgsm_law"]["train"]
    plans = {name: parameters(chosen, name, variants=variants) for name in names}
    parsed = {(name, seed): stage.Params(**plans[name] | {"seed": seed}) for name in names for seed in seeds}
    pictures = pictures_of(chosen)
    about = made(chosen, pictures)
    print(*(f"{key}: {value}" for key, value in about.items()), sep="\n")
    print(*(f"{name}: {json.dumps(plan)}" for name, plan in plans.items()), f"\n{HEAD}", sep="\n", flush=True)
    runs, problems = [], []
    for place, seed in enumerate(seeds):
        for name in names[place % len(names) :] + names[: place % len(names)]:
            try:
                runs.append(trained(parsed[name, seed], pictures, name))
                print(row(runs[-1]), flush=True)
            except ArgumentError as error:  # a lost loss of one method leaves the others their figures
                problems.append(f"{name}, seed {seed}: {error}")
            if chosen.json:
                record = {"about": about, "params": plans, "runs": [asdict(run) for run in runs], "problems": problems}
                record["summary"] = [asdict(one) for one in summaries(runs, names)]
                chosen.json.parent.mkdir(parents=True, exist_ok=True)
                chosen.json.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    print(f"\n{table(summaries(runs, names), names[-1])}", *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

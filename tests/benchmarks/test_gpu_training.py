"""The benchmark that waits for a GPU: it runs on the CPU, with few packages, and its figures are what they say."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import gpu_training, training_rounds
from benchmarks.training_rounds import Budget, Mode, Plan, Run, figures, measure, modes, pictures, tf32, warm_up
from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.loop import Speed

ROOT = Path(__file__).resolve().parents[2]
TINY = Plan(1, 8, 4, 2, attacked=2, steps=1, queries=2, compile=False)

ALONE = """
import importlib.machinery, importlib.metadata, re, runpy, sys
import torch, numpy, PIL.Image

def needs(name, found):
    for line in importlib.metadata.requires(name) or []:
        word = re.match(r"[\\w-]+", line)[0]
        if "extra ==" not in line and word not in found:
            try:
                importlib.metadata.distribution(word)
            except importlib.metadata.PackageNotFoundError:
                continue
            found.add(word)
            needs(word, found)
    return found

packages = {"torch", "numpy", "pillow"} | needs("torch", set())
tops = importlib.metadata.packages_distributions()
allowed = {top for top, owners in tops.items() if packages & set(owners)} | {"gauntlet", "benchmarks"}
allowed |= set(sys.stdlib_module_names) | {name.partition(".")[0] for name in sys.modules}

class Few(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return super().find_spec(name, path, target) if name.partition(".")[0] in allowed else None

sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, Few]
for name in ("pydantic", "torchvision", "dvc", "timm"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} must be away")
import gauntlet.attacks, gauntlet.training.fgsm_law.loop
runpy.run_path("benchmarks/gpu_training.py", run_name="__main__")
"""


@pytest.mark.slow
def test_the_script_runs_on_torch_numpy_and_pillow_alone(tmp_path):
    """As on a machine with a GPU that has nothing else; attacks and training are imported on the way."""
    options = "--device cpu --width 1 --images 8 --batch 4 --rounds 2 --attacked 2 --steps 1 --queries 2"
    words = [*options.split(), "--record", str(tmp_path / "new" / "record.json")]
    done = subprocess.run([sys.executable, "-c", ALONE, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads((tmp_path / "new" / "record.json").read_text())
    assert record["command"].startswith("python benchmarks/gpu_training.py --device cpu --width 1")
    assert record["problems"] == []
    assert {method: set(part) for method, part in record["training"].items()} == {
        "fgsm_law": {"float32", "fast"},
        "pgd_at": {"float32", "fast"},
    }
    for part in record["training"].values():
        assert part["float32"]["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0, "n": 2}
        assert part["fast"]["images_per_s"]["n"] == 2
        assert part["fast"]["peak_mib"] is None
    attacked = record["autoattack"]
    assert attacked["images"] == 2
    assert sum(attacked["broken_by"].values()) / 2 + attacked["robust"] == 1
    assert not attacked["standard"]
    assert "| fgsm_law | fast | 2 |" in done.stdout
    assert "shortened: 1 steps" in done.stdout


class Clock:
    """Moves on when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Timed(Run):
    """A run whose epochs take the given seconds."""

    def __init__(self, clock: Clock, *seconds: float) -> None:
        super().__init__(nn.Identity(), iter(()), Mode(Speed()), "cpu", 0)
        self.clock, self.coming = clock, list(seconds)
        self.first_s, self.record = 1.0, {"loss": 2.0, "train_top1_adv": 0.5}

    def epoch(self) -> float:
        self.seconds.append(self.coming.pop(0))
        self.clock.now += self.seconds[-1]
        return self.seconds[-1]


def test_ratios_are_taken_round_by_round():
    clock = Clock()
    runs = {("fgsm_law", "float32"): Timed(clock, 4.0, 9.0, 2.0), ("fgsm_law", "fast"): Timed(clock, 1.0, 3.0, 1.0)}
    measure(runs, rounds=3, budget=Budget(1000, clock=clock))
    one = figures(runs, images=12)["fgsm_law"]["fast"]
    assert one["ratio"] == {"median": 3.0, "low": 2.0, "high": 4.0, "n": 3}
    assert one["images_per_s"] == {"median": 12.0, "low": 4.0, "high": 12.0, "n": 3}
    del runs["fgsm_law", "float32"]
    assert figures(runs, images=12)["fgsm_law"]["fast"]["ratio"] is None


@pytest.mark.parametrize(("allowed", "rounds"), [(1, 1), (50, 2), (66, 3), (84, 4), (1000, 5)])
def test_no_round_begins_that_would_end_too_late(allowed, rounds):
    """Training may take 0.6 of it; a round takes 10 s, and the next is expected to take 11."""
    clock = Clock()
    runs = {("pgd_at", "float32"): Timed(clock, *[6.0] * 5), ("pgd_at", "fast"): Timed(clock, *[4.0] * 5)}
    measure(runs, rounds=5, budget=Budget(allowed, clock=clock))
    assert {len(run.seconds) for run in runs.values()} == {rounds}


def test_runs_are_not_begun_when_the_time_is_over():
    clock, problems = Clock(), []
    budget = Budget(10, clock=clock)
    clock.now += 7
    assert warm_up(pictures(8, seed=0), plan=TINY, device="cpu", budget=budget, problems=problems) == {}
    assert problems[0] == "fgsm_law, float32: no time was left"
    assert len(problems) == 4


def test_what_fails_costs_no_other_figure(monkeypatch):
    def broken(*arguments, mode=None, **options):
        if arguments[1].speed.precision == "bfloat16":
            raise RuntimeError("no compiler\nwas found")
        return prepare(*arguments, **options)

    prepare = training_rounds.prepare
    monkeypatch.setattr(training_rounds, "prepare", broken)
    record = gpu_training.benchmark(TINY, device="cpu", budget=Budget(100), command="")
    assert record["problems"] == [
        f"{method}, fast: RuntimeError: no compiler was found" for method in record["training"]
    ]
    assert list(record["training"]["fgsm_law"]) == ["float32"]
    assert record["autoattack"]["images"] == 2
    assert "no compiler was found" in gpu_training.tables(record)


def test_autoattack_is_left_out_when_there_is_no_time():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).eval()
    x = pictures(3, seed=0).x
    with pytest.raises(TimeoutError, match="0 s left"):
        gpu_training.attack(model, x, plan=TINY, device="cpu", budget=Budget(0.0, clock=Clock()))


@pytest.mark.parametrize(("median", "seconds", "problems"), [(3.0, 10, 0), (2.99, 10, 1), (3.0, 11, 1), (None, 11, 2)])
def test_what_must_hold_on_a_gpu(median, seconds, problems):
    clock = Clock()
    budget = Budget(10, clock=clock)
    clock.now += seconds
    training = {"fgsm_law": {"fast": {"ratio": median and {"median": median}}}} if median else {}
    assert len(gpu_training.shortfalls(training, device="cuda", budget=budget)) == problems
    assert len(gpu_training.shortfalls({}, device="cpu", budget=budget)) == (seconds > 10)


def test_modes_of_a_gpu_and_of_a_cpu():
    plan = gpu_training.PLANS["cuda"]
    assert modes(plan, "cuda:1") == {
        "float32": Mode(Speed(), tf32=False),
        "float32, TF32": Mode(Speed(), tf32=True),
        "fast": Mode(Speed("bfloat16", channels_last=True, compile=True)),
    }
    assert list(modes(TINY, "cpu")) == ["float32", "fast"]
    assert (plan.width, plan.steps, plan.queries) == (64, 100, 5000)


def test_peak_memory_is_what_a_run_keeps_and_what_a_step_adds(monkeypatch):
    """Before the run 100 bytes are held; it keeps 40, other runs take 1000 more, and its epochs add 25 and 30."""
    held, highest = iter([100, 140, 1140, 1140]), iter([1165, 1170])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: next(held))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: next(highest))
    run = Run(nn.Identity(), iter([{"loss": 1.0}] * 3), Mode(Speed()), "cuda:0", 100)
    assert run.epoch() == run.first_s
    assert (run.kept, run.peak, run.seconds) == (40, 0, [])
    run.epoch(), run.epoch()
    assert run.peak == 40 + 30
    assert len(run.seconds) == 2


def test_tf32_is_put_back():
    before = torch.backends.cudnn.allow_tf32
    with tf32(not before):
        assert torch.backends.cudnn.allow_tf32 is not before
    assert torch.backends.cudnn.allow_tf32 is before


def test_pictures_depend_on_the_seed_alone_and_show_their_class():
    first, again, other = (pictures(400, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)
    assert first.x.shape[1:] == training_rounds.SHAPE
    x = first.x.double().flatten(1) / 255
    centres = torch.stack([x[:200][first.y[:200] == k].mean(0) for k in range(10)])
    assert (torch.cdist(x[200:], centres).argmin(1) == first.y[200:]).double().mean() > 0.5


@pytest.mark.parametrize(("change", "match"), [({"images": 9}, "multiple of batch"), ({"rounds": 0}, "rounds must be")])
def test_a_plan_that_cannot_be(change, match):
    with pytest.raises(ArgumentError, match=match):
        Plan(
            **{"width": 1, "images": 8, "batch": 4, "rounds": 1, "attacked": 1, "steps": 1, "queries": 1} | change,
            compile=False,
        )


def test_a_gpu_that_is_not_there():
    with pytest.raises(SystemExit, match="GPU that torch sees"):
        gpu_training.chosen_device(f"cuda:{torch.cuda.device_count()}")
    assert gpu_training.chosen_device("cpu") == "cpu"
    assert math.isnan(Run(nn.Identity(), iter(()), Mode(Speed()), "cpu", 0).first_s)

"""Rounds of adversarial training by turns: each method in each mode of computing, timed, with its memory.

`gpu_training.py` is the script; this is its part on training. Needs torch, numpy and pillow alone.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import NamedTuple

import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.models.resnet import resnet18
from gauntlet.training.augmentation import BatchAugmentation
from gauntlet.training.fgsm_law import build
from gauntlet.training.fgsm_law.averaging import Awa, NoAveraging
from gauntlet.training.fgsm_law.images import TensorData
from gauntlet.training.fgsm_law.loop import Speed, begin, steps_per_epoch, train
from gauntlet.training.fgsm_law.method import Setting
from gauntlet.training.state import start_sgd

EPS, CLASSES, SHAPE = 8 / 255, 10, (3, 32, 32)
METHODS = {"fgsm_law": Awa, "pgd_at": NoAveraging}
TRAINING_SHARE = 0.6
"""Of the time allowed; AutoAttack takes what is left."""


@dataclass(frozen=True)
class Plan:
    """How much is done; each field is an option of the command line.

    Attributes:
        width: Of ResNet18's first stage; 64 is the network of the papers.
        images: Images an epoch, which is one round; a multiple of `batch`.
        batch: Images a step.
        rounds: Measured epochs of each mode, at most.
        attacked: Images for AutoAttack, at most.
        steps: Of AutoAttack's APGD and FAB.
        queries: Of its Square.
        compile: Whether the fast mode compiles the network.
        seed: Of pictures, weights and noise.
    """

    width: int
    images: int
    batch: int
    rounds: int
    attacked: int
    steps: int
    queries: int
    compile: bool
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "images", "batch", "rounds", "attacked", "steps", "queries"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.images % self.batch:
            raise ArgumentError(f"images must be a multiple of batch; got {self.images} and {self.batch}")


class Mode(NamedTuple):
    """One way to compute: the loop's own options, and whether float32 convolutions may round to TF32."""

    speed: Speed
    tf32: bool = False


def modes(plan: Plan, device: str) -> dict[str, Mode]:
    """Return what is measured; TF32 is a GPU's."""
    plain, fast = Speed(), Speed("bfloat16", channels_last=True, compile=plan.compile)
    between = {"float32, TF32": Mode(plain, tf32=True)} if device.startswith("cuda") else {}
    return {"float32": Mode(plain), **between, "fast": Mode(fast)}


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let convolutions round to TF32 inside the block, or not; matrix products do not by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


class Budget:
    """The seconds that are left."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds, self.clock, self.begin = seconds, clock, clock()

    def spent(self) -> float:
        """Return the seconds since the begin."""
        return self.clock() - self.begin

    def left(self, share: float = 1.0) -> float:
        """Return the seconds left of this share of the budget; negative when it is over."""
        return share * self.seconds - self.spent()


def pictures(images: int, *, seed: int) -> TensorData:
    """Draw pictures of CIFAR's size: a coarse pattern a class, of a strength of its own in each image, under noise."""
    draw = torch.Generator().manual_seed(seed)
    patterns = torch.randn(CLASSES, 3, 2, 2, generator=draw).sign().repeat_interleave(16, 2).repeat_interleave(16, 3)
    y = torch.randint(CLASSES, (images,), generator=draw)
    strength = 0.2 * torch.rand(images, 1, 1, 1, generator=draw)
    x = 0.5 + strength * patterns[y] + 0.2 * torch.randn(images, *SHAPE, generator=draw)
    return TensorData(x.mul_(255).clamp_(0, 255).to(torch.uint8), y)


def wait(device: str) -> None:
    """Wait until the device has done what was asked of it."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


@dataclass
class Run:
    """One method in one mode.

    Attributes:
        model: What is trained.
        epochs: The loop, suspended between two epochs.
        mode: How it computes.
        device: Where.
        before: Bytes on the device before the run was made.
        first_s: Seconds of the first epoch.
        seconds: Of the epochs after it.
        kept: Bytes that the run holds between two epochs.
        peak: Bytes at its highest.
        record: The last epoch's, from the loop.
    """

    model: nn.Module
    epochs: Iterator[dict]
    mode: Mode
    device: str
    before: int
    first_s: float = math.nan
    seconds: list[float] = field(default_factory=list)
    kept: int = 0
    peak: int = 0
    record: dict = field(default_factory=dict)

    def epoch(self) -> float:
        """Train for one epoch and return its seconds."""
        cuda = self.device.startswith("cuda")
        if cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
            held = torch.cuda.memory_allocated(self.device)
        wait(self.device)
        start = time.perf_counter()
        with tf32(self.mode.tf32):
            self.record = next(self.epochs)
        wait(self.device)
        seconds = time.perf_counter() - start
        if math.isnan(self.first_s):
            self.first_s = seconds
            self.kept = torch.cuda.memory_allocated(self.device) - self.before if cuda else 0
            return seconds
        if cuda:
            self.peak = max(self.peak, self.kept + torch.cuda.max_memory_allocated(self.device) - held)
        self.seconds.append(seconds)
        return seconds


def prepare(name: str, mode: Mode, data: TensorData, *, plan: Plan, device: str) -> Run:
    """Make a run of a method."""
    before = torch.cuda.memory_allocated(device) if device.startswith("cuda") else 0
    epochs, steps = 1 + plan.rounds, steps_per_epoch(plan.images, plan.batch, whole=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model = resnet18(classes=CLASSES, width=plan.width).to(device)
    setting = Setting(EPS, CLASSES, plan.images, SHAPE, epochs, steps, device)
    state = start_sgd(
        model,
        lr=0.05,
        weight_decay=5e-4,
        schedule="cyclic",
        turns=(0.4,),
        steps=epochs * steps,
        generator=torch.Generator().manual_seed(plan.seed),
    )
    begin(state, build(name), METHODS[name](), setting=setting, speed=mode.speed)
    how = BatchAugmentation(crop_px=4, mirror=True, cutout_px=4)
    loop = train(state, data, setting=setting, batch=plan.batch, how=how, speed=mode.speed)
    return Run(model, loop, mode, device, before)


Runs = dict[tuple[str, str], Run]
"""By method and mode."""


def say(text: str) -> None:
    """Say how far it is."""
    print(text, file=sys.stderr, flush=True)


def warm_up(data: TensorData, *, plan: Plan, device: str, budget: Budget, problems: list[str]) -> Runs:
    """Make every run and take its first epoch; what fails is named and left out."""
    runs: Runs = {}
    for method in METHODS:
        for name, mode in modes(plan, device).items():
            if budget.left(TRAINING_SHARE) < 0:
                problems.append(f"{method}, {name}: no time was left")
                continue
            try:
                run = prepare(method, mode, data, plan=plan, device=device)
                say(f"{method}, {name}: first epoch {run.epoch():.1f} s")
            except Exception as mistake:  # a compiler that is missing must not cost the other figures
                problems.append(f"{method}, {name}: {named(mistake)}")
                continue
            runs[method, name] = run
    return runs


def named(mistake: Exception) -> str:
    """Return a mistake in one line."""
    return f"{type(mistake).__name__}: {' '.join(str(mistake).split())[:300]}"


def measure(runs: Runs, *, rounds: int, budget: Budget) -> None:
    """Take rounds of one epoch a run, to and fro, while the next is likely to end in time; one is always taken."""
    longest = 0.0
    for turn in range(rounds):
        if turn and budget.left(TRAINING_SHARE) < 1.1 * longest:
            break
        start = budget.spent()
        for run in list(runs.values())[:: -1 if turn % 2 else 1]:
            run.epoch()
        longest = max(longest, budget.spent() - start)
        say(f"round {turn + 1}: {budget.spent() - start:.1f} s")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the range.

    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'low': 1.0, 'high': 3.0, 'n': 3}
    """
    return {"median": median(values), "low": min(values), "high": max(values), "n": len(values)}


def figures(runs: Runs, *, images: int) -> dict:
    """Return what was measured, by method and mode.

    Args:
        runs: After at least one round.
        images: A round.

    Returns:
        For each run; `ratio` is how many times faster than float32 it was, round by round, None without that run.
    """
    training: dict = {}
    for (method, name), run in runs.items():
        plain = runs.get((method, "float32"))
        training.setdefault(method, {})[name] = {
            "images_per_s": spread([images / seconds for seconds in run.seconds]),
            "ratio": plain and spread([slow / fast for slow, fast in zip(plain.seconds, run.seconds, strict=True)]),
            "peak_mib": run.peak / 2**20 if run.peak else None,
            "first_epoch_s": run.first_s,
            "speed": asdict(run.mode.speed) | {"tf32": run.mode.tf32},
            "last_loss": run.record["loss"],
            "last_top1_adv": run.record["train_top1_adv"],
        }
    return training

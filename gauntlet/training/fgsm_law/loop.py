"""The loop that runs every adversarial training method: one record an epoch, and no waiting for the device within."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.training.augmentation import BatchAugmentation, augment
from gauntlet.training.fgsm_law.averaging import NoAveraging
from gauntlet.training.fgsm_law.images import StreamData, TensorData
from gauntlet.training.fgsm_law.method import Batch, Loss, Method, Setting
from gauntlet.training.state import TrainingState, finite, lend

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Speed:
    """How the arithmetic is done; the default is torch's own.

    Attributes:
        precision: A key of PRECISIONS; the lower two through autocast, weights stay float32.
        channels_last: Memory format of images and weights; pays on GPUs with tensor cores, and on CPUs by a fifth.
        compile: Compile the network; pays on GPUs. Batches should then be whole, see `steps_per_epoch`.
    """

    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ArgumentError(f"precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}")

    def autocast(self, device: str) -> AbstractContextManager:
        """Return the context in which losses are computed."""
        # The cache would hand weights cast under no_grad to the forward pass that has to train them.
        lower = self.precision != "float32"
        kind, dtype = torch.device(device).type, PRECISIONS[self.precision] if lower else None
        return torch.autocast(kind, dtype, enabled=lower, cache_enabled=False)


class Scaler:
    """Loss scaling for float16; idle otherwise."""

    def __init__(self, speed: Speed, device: str) -> None:
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=speed.precision == "float16")

    def state(self) -> dict:
        """Return the scale and its history."""
        return self.scaler.state_dict()

    def load(self, state: dict) -> None:
        """Take up the scale."""
        self.scaler.load_state_dict(state)


def steps_per_epoch(images: int, batch: int, *, whole: bool = False) -> int:
    """Return the batches an epoch; a last one of a single image is dropped, batch statistics need two.

    Args:
        images: Size of the training set.
        batch: Images a batch.
        whole: Drop every incomplete batch, so that a compiled network sees one shape.
    """
    return images // batch + (0 if whole else images % batch > 1)


def begin(
    state: TrainingState, method: Method, averaging: NoAveraging, *, setting: Setting, speed: Speed | None = None
) -> None:
    """Make ready a fresh run, before a checkpoint is loaded into it.

    Args:
        state: Its model on the device.
        method: Gets its buffers.
        averaging: Gets its shadow.
        setting: Of the run.
        speed: How the arithmetic is done.
    """
    speed = speed or Speed()
    if speed.channels_last:
        state.model.to(memory_format=torch.channels_last)
    method.begin(state.model, setting, state.generator)
    averaging.begin(state.model)
    state.extra = {"method": method, "averaging": averaging, "scaler": Scaler(speed, setting.device)}


@contextmanager
def quickened(model: nn.Module, compiled: Callable | None) -> Iterator[None]:
    """Let a network run its compiled part inside the block only: evaluation has batches of every size.

    Args:
        model: With `embed`, which features and logits share, or without.
        compiled: That part, from `compiled_part`, or None.
    """
    if compiled is None:
        yield
        return
    name = "embed" if hasattr(model, "embed") else "forward"
    setattr(model, name, compiled)
    try:
        yield
    finally:
        delattr(model, name)


def compiled_part(model: nn.Module) -> Callable:
    """Return a network's `embed`, or else its `forward`, compiled."""
    return torch.compile(model.embed if hasattr(model, "embed") else model.forward)


def train(
    state: TrainingState,
    data: TensorData | StreamData,
    *,
    setting: Setting,
    batch: int,
    how: BatchAugmentation,
    speed: Speed | None = None,
    clip_norm: float | None = None,
) -> Iterator[dict]:
    """Train until all epochs are done, with the method and averaging that `begin` was given.

    Args:
        state: A run after `begin`. Its scheduler is stepped steps_per_epoch x replays times an epoch.
        data: Training images.
        setting: Of the run.
        batch: Images a step.
        how: Augmentation.
        speed: How the arithmetic is done; as given to `begin`.
        clip_norm: Greatest norm of the gradient, or None (LAW on Tiny ImageNet: 10).

    Yields:
        {"epoch", "loss", "train_top1_adv", "passes"} an epoch: mean loss, top-1 at the training adversarials, and
        forward and backward passes over an image of the set, in pairs.

    Raises:
        ArgumentError: `begin` was not called, or the loss is no longer finite.
    """
    if not {"method", "averaging", "scaler"} <= state.extra.keys():
        raise ArgumentError("a run must go through `begin` before `train`; got a bare state")
    speed = speed or Speed()
    model, method, averaging = state.model, state.extra["method"], state.extra["averaging"]
    data = data.to(setting.device)
    compiled = compiled_part(model) if speed.compile else None
    while state.epoch < setting.epochs:
        model.train()
        seen, total, right_adv = 0, torch.zeros((), device=setting.device), 0
        order = torch.randperm(setting.images, generator=state.generator)
        stored = zip(range(setting.steps_per_epoch), data.batches(order, batch=batch), strict=False)
        with lend(state.generator, device=setting.device), quickened(model, compiled):
            for images in _augmented(state, stored, setting=setting, how=how, speed=speed):
                loss = _descended(state, images, speed=speed, device=setting.device, clip_norm=clip_norm)
                averaging.after_step(model, loss)
                seen += len(images.x)
                total += loss.value.detach().float() * len(images.x)
                right_adv += loss.right_adv
        state.epoch += 1
        mean = finite(total / max(1, seen), epoch=state.epoch)
        method.after_epoch(model, state.epoch)
        yield {
            "epoch": state.epoch,
            "loss": mean,
            "train_top1_adv": int(right_adv) / max(1, seen),
            "passes": seen * method.cost / max(1, setting.images),
        }


def _augmented(
    state: TrainingState,
    stored: Iterable[tuple[int, tuple[Tensor, Tensor, Tensor]]],
    *,
    setting: Setting,
    how: BatchAugmentation,
    speed: Speed,
) -> Iterator[Batch]:
    """Yield the minibatches of an epoch, each as often as the method replays it."""
    replays = state.extra["method"].replays
    for number, (x, y, index) in stored:
        x, target = augment(
            x, y, how, classes=setting.classes, generator=state.generator, channels_last=speed.channels_last
        )
        y = target.argmax(1) if how.mixup or how.cutmix else y
        first = (state.epoch * setting.steps_per_epoch + number) * replays
        for step in range(first, first + replays):
            yield Batch(x, y, target, index, step, state.epoch + number / setting.steps_per_epoch)


def _descended(state: TrainingState, batch: Batch, *, speed: Speed, device: str, clip_norm: float | None) -> Loss:
    """Take an optimiser step and return the loss before it."""
    method, scaler = state.extra["method"], state.extra["scaler"].scaler
    state.optimizer.zero_grad(set_to_none=True)  # before the forward pass: its memory is free then
    with speed.autocast(device):
        loss = method.loss(state.model, batch, state.generator)
    scaler.scale(loss.value).backward()
    scaler.unscale_(state.optimizer)
    method.after_backward(state.model)
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(state.model.parameters(), clip_norm)
    scaler.step(state.optimizer)
    scaler.update()
    state.scheduler.step()
    return loss

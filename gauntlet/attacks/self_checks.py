"""AutoAttack's own flags: signs that a robust accuracy is owed to masked gradients and not to robustness."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.autoattack import PARTS, TARGETS, Broken
from gauntlet.attacks.checks import check_inputs
from gauntlet.attacks.gradient import gradient
from gauntlet.attacks.losses import cross_entropy, dlr, margin

_REPEATS = 5
_RANDOM = 1e-4
_PROBABILITY = 1e-5
_SQUARE_GAIN = 0.002


@dataclass(frozen=True)
class SelfChecks:
    """What looks wrong about a model under attack.

    Attributes:
        problems: A sentence for each flag that is raised; empty if none is. A robust accuracy with any of them is
            no robust accuracy.
    """

    problems: list[str]


def self_checks(
    model: nn.Module, x: Tensor, y: Tensor, *, eps: float | Tensor, norm: str = "linf", broken: Broken | None = None
) -> SelfChecks:
    """Look for signs of a defence that gradient attacks cannot see through.

    Args:
        model: Pixels in [0, 1] to logits, in eval mode.
        x: float32, B x C x H x W in [0, 1]: a few dozen images will do.
        y: int64 [B].
        eps: Radius on [0, 1]; a number or [B]. Only checked.
        norm: "linf", "l2" or "l1".
        broken: What `standard` gave, over any number of images: tells whether Square found what gradients did not.

    Raises:
        ArgumentError: Input that no attack can use.

    Source: the checks of AutoAttack's released code (flags_doc.md), with its thresholds; there they are warnings.
        A change of the model's buffers during a forward pass counts as optimisation too.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    problems: list[str] = []
    with torch.no_grad():
        with _watch_autograd() as calls:
            before = {name: value.clone() for name, value in model.state_dict().items()}
            logits = model(x)
        if calls or any(not torch.equal(before[name], value) for name, value in model.state_dict().items()):
            problems.append("The model optimises while it predicts: attacks on a fixed model say little about it.")
        problems += _randomness(model, x, y, first=logits)
    problems += _outputs(logits)
    if logits.isfinite().all():
        problems += _gradients(model, x, y, classes=logits.shape[1])
    if broken is not None:
        problems += _square_gain(broken)
    return SelfChecks(problems)


def _randomness(model: nn.Module, x: Tensor, y: Tensor, *, first: Tensor) -> list[str]:
    outputs = torch.stack([first, *(model(x) for _ in range(_REPEATS - 1))])
    right = (outputs.argmax(2) == y).sum(1)
    scaled = outputs / outputs.norm(dim=2, keepdim=True).clamp_min(1e-10)
    apart = (scaled[:, None] - scaled[None]).norm(dim=3).amax()
    if bool((right != right[0]).any()) or apart > _RANDOM:
        return ["The output is random: the same images give other logits; average over draws when attacking."]
    return []


def _outputs(logits: Tensor) -> list[str]:
    problems = []
    classes = logits.shape[1]
    if not logits.isfinite().all():
        problems.append("Logits are not finite: no loss ranks the classes.")
    inside = (logits > -_PROBABILITY).all() and (logits < 1 + _PROBABILITY).all()
    if inside and ((logits.sum(1) - 1).abs() < _PROBABILITY).all():
        problems.append("The output is a probability distribution: losses on logits saturate; leave the softmax out.")
    if classes < 4:
        problems.append(f"With {classes} classes the targeted DLR loss has no scale: a plain difference is attacked.")
    if classes <= TARGETS:
        problems.append(f"With {classes} classes there are fewer than {TARGETS} targets.")
    return problems


def _gradients(model: nn.Module, x: Tensor, y: Tensor, *, classes: int) -> list[str]:
    problems = []
    ratio = dlr if classes > 2 else margin
    for name, loss in (("cross-entropy", cross_entropy), ("logit differences", ratio)):
        zero = _zero_gradients(model, x, y, loss=loss)
        if zero:
            problems.append(f"The gradient of the {name} is zero at {zero} of {len(x)} images: nothing to follow.")
    return problems


def _zero_gradients(model: nn.Module, x: Tensor, y: Tensor, *, loss: Callable[[Tensor, Tensor], Tensor]) -> int:
    try:
        slope = gradient(model, x, y, loss=loss).gradient
    except RuntimeError as error:
        # Where no pixel reaches the logits by differentiable steps, autograd has no gradient to give.
        if "does not require grad" not in str(error) and "not have been used" not in str(error):
            raise
        return len(x)
    return int((slope.flatten(1).abs().sum(1) == 0).sum())


def _square_gain(broken: Broken) -> list[str]:
    count = int((broken.by == list(PARTS).index("square") + 1).sum())
    if count <= _SQUARE_GAIN * len(broken.by):
        return []
    return [
        f"Square broke {count} of {len(broken.by)} images that gradient attacks left: gradients are masked, "
        "or the attacks are too weak."
    ]


@contextmanager
def _watch_autograd() -> Iterator[list[str]]:
    """Note calls into autograd made meanwhile; none under a profiler, which could not be put back."""
    watched = {function.__code__ for function in (torch.autograd.grad, torch.autograd.backward)}
    calls: list[str] = []
    if sys.getprofile():
        yield calls
        return

    def note(frame, event, _) -> None:
        if event == "call" and frame.f_code in watched:
            calls.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)

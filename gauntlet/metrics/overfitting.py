"""Held-out figures of an adversarial training run, and catastrophic overfitting called by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.gradient import gradient, pgd
from gauntlet.attacks.losses import cross_entropy
from gauntlet.attacks.noise import Noise

WINDOW = 2  # epochs within which the collapse has to happen
FALL = 0.5  # what is left of PGD top-1, at most
GAP = 0.15  # one-step top-1 above PGD top-1, at least
BEND = 0.7  # what is left of the linearity, at most
CURVED = 0.2  # linearity of a collapsed model, whatever it was before
LEARNT = 0.05  # PGD top-1 below which there is nothing to lose


@dataclass(frozen=True)
class HeldOut:
    """What a model holds on images it was not trained on.

    Attributes:
        clean: Top-1.
        fgsm: Top-1 under one step of eps from a random start, as the papers measure it.
        pgd_10: Top-1 under ten steps of eps / 4.
        linearity: Mean cosine of the gradients at x and at x + U(-eps, eps), over images that have both; 0 where
            none has.
        n: Images.
    """

    clean: float
    fgsm: float
    pgd_10: float
    linearity: float
    n: int


def held_out(
    model: nn.Module, x: Tensor, y: Tensor, *, eps: float, batch: int, device: str, generator: torch.Generator
) -> HeldOut:
    """Measure a model on held-out images.

    Args:
        model: Pixels in [0, 1] to logits; left in eval mode.
        x: uint8, N x C x H x W.
        y: int64, N.
        eps: Linf radius.
        batch: Images at a time.
        device: Where the model is.
        generator: On the CPU.
    """
    model.eval()
    right, cosines = torch.zeros(3, dtype=torch.int64, device=device), []
    for pixels, truth in zip(x.split(batch), y.split(batch), strict=True):
        images, truth = pixels.to(device).float() / 255, truth.to(device)
        hit = {"alpha": eps, "steps": 1}, {"alpha": eps / 4, "steps": 10}
        tried = [images, *(pgd(model, images, truth, eps=eps, **attack, generator=generator) for attack in hit)]
        with torch.no_grad():
            right += torch.stack([(model(points).argmax(1) == truth).sum() for points in tried])
        cosines.append(linearity(model, images, truth, eps=eps, generator=generator))
    clean, fgsm, robust = (right / len(x)).tolist()
    return HeldOut(clean, fgsm, robust, torch.cat(cosines).nanmean().nan_to_num().item(), len(x))


def linearity(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, generator: torch.Generator) -> Tensor:
    """Return the cosine of the loss gradients at x and at x + U(-eps, eps), unclipped; nan where either is zero.

    Args:
        model: In eval mode.
        x: float32, B x C x H x W in [0, 1].
        y: int64, B.
        eps: Linf radius.
        generator: On the CPU.

    Source: Andriushchenko and Flammarion 2020, equation 4.
    """
    nearby = x + Noise.of(x, generator).uniform(x.shape[1:], -eps, eps)
    first, second = (gradient(model, at, y, loss=cross_entropy).gradient.flatten(1) for at in (x, nearby))
    lengths = first.norm(dim=1) * second.norm(dim=1)
    return torch.where(lengths > 0, (first * second).sum(1) / lengths, torch.nan)


@dataclass(frozen=True)
class Overfitting:
    """Whether a run overfitted catastrophically.

    Attributes:
        collapsed: It did, at some epoch.
        epoch: The first epoch in which it shows, or None.
        recovered: The last epoch's PGD top-1 is back at four fifths of the best before the collapse.
    """

    collapsed: bool
    epoch: int | None
    recovered: bool = False


def catastrophic_overfitting(history: Sequence[Mapping[str, float]], *, attacked: bool = True) -> Overfitting:
    """Say whether and when single-step training collapsed.

    It did in the first epoch whose one-step top-1 (held-out FGSM or the training attack, the higher) stands at least
    15 points above PGD top-1, when within two epochs PGD top-1 lost half and the linearity three tenths or all but
    0.2. A model that never learnt to withstand PGD counts too, when its one-step top-1 is as good as its clean one,
    its PGD top-1 is under a quarter of it and its linearity under 0.2. A slow decline, or a gap between training and
    held-out images alone, is not this.

    Args:
        history: One record an epoch with "epoch", "clean", "fgsm", "pgd_10", and where known "train_top1_adv" and
            "linearity".
        attacked: False for plain training, whose training images are no attack; nothing is then found.

    Source: the signs are those of Wong et al. 2020 and Andriushchenko and Flammarion 2020, the thresholds ours.
    """
    if not attacked:
        return Overfitting(False, None)
    for place, now in enumerate(history):
        before = history[max(0, place - WINDOW) : place]
        if _collapsed(now, before) or _never_robust(now):
            best = max((record["pgd_10"] for record in history[:place]), default=1.0)
            return Overfitting(True, int(now["epoch"]), history[-1]["pgd_10"] >= 0.8 * best)
    return Overfitting(False, None)


def _one_step(record: Mapping[str, float]) -> float:
    return max(record["fgsm"], record.get("train_top1_adv", 0.0))


def _collapsed(now: Mapping[str, float], before: Sequence[Mapping[str, float]]) -> bool:
    if not before:
        return False
    best = max(before, key=lambda record: record["pgd_10"])
    lost = best["pgd_10"] >= LEARNT and now["pgd_10"] <= FALL * best["pgd_10"]
    return lost and _one_step(now) - now["pgd_10"] >= GAP and _bent(now, best)


def _bent(now: Mapping[str, float], best: Mapping[str, float]) -> bool:
    cosine, earlier = now.get("linearity"), best.get("linearity")
    if cosine is None:
        return True
    return cosine < CURVED or (earlier is not None and cosine <= BEND * earlier)


def _never_robust(now: Mapping[str, float]) -> bool:
    one_step, cosine = _one_step(now), now.get("linearity", 1.0)
    as_good = one_step >= 0.8 * now["clean"] and one_step - now["pgd_10"] >= 2 * GAP
    return as_good and now["pgd_10"] <= one_step / 4 and cosine < CURVED

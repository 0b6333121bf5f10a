"""The adversary of phoneme adversarial training: a small change of the front end's features that raises the loss.

Guided, it stays where the recogniser answers an adversary of the utterance and one of its augmented twin alike.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.attacks.features import ascend
from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Features, Recognizer

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def lowered(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which passes are computed in a precision, a key of PRECISIONS; weights stay float32."""
    # The cache would hand weights cast under no_grad to the pass that has to train them.
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32", cache_enabled=False)


@dataclass(frozen=True)
class Release:
    """Where the authors' code differs from their paper; all off by default.

    Attributes:
        best_before_step: Keep the iterate of the highest loss, the loss being taken before each step and never after
            the last: one step from the clean features changes nothing.
        cosine_guidance: Guide by the negated cosine between the features and the augmented ones, and climb the mean of
            the gradients at both, in place of the KL divergence between outputs.
        clamped: Clamp the perturbed features to [-1, 1], as if they were pixels.
        shuffled_targets: Climb the loss of other utterances' texts; one that does not fit gives no gradient.
    """

    best_before_step: bool = False
    cosine_guidance: bool = False
    clamped: bool = False
    shuffled_targets: bool = False


class Adversary(NamedTuple):
    """A perturbation of a batch of features.

    Attributes:
        delta: B x F x D, zero on padding.
        unguided: Utterances whose guidance was left out, because the augmented twin has another number of frames.
    """

    delta: Tensor
    unguided: int


@contextmanager
def still(recognizer: Recognizer) -> Iterator[None]:
    """Hold a recogniser in evaluation mode and its weights out of the graph; then put every part back as it was."""
    parts = list(recognizer.modules()) if isinstance(recognizer, nn.Module) else []
    weights = [weight for weight in recognizer.parameters() if weight.requires_grad] if parts else []
    modes = [part.training for part in parts]
    for part in parts[:1]:
        part.eval()
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
        for weight in weights:
            weight.requires_grad_(True)


def perturb(
    recognizer: Recognizer,
    features: Features,
    texts: Sequence[str],
    *,
    eps: float | Tensor,
    alpha: float | Tensor,
    steps: int = 1,
    random_start: bool = True,
    guidance: Features | None = None,
    generator: torch.Generator | None = None,
    release: Release | None = None,
    precision: str = "float32",
) -> Adversary:
    """Maximise the loss of the texts, less the divergence from the augmented twin's adversary, in an Linf ball.

    Each utterance's change depends on nothing but itself: both terms are means over its own symbols and frames.

    Args:
        recognizer: Held in evaluation mode meanwhile; no weight gets a gradient.
        features: Of the utterances; not changed.
        texts: What is said.
        eps: Radius in the features' unit, a number or [B]; see `gauntlet.attacks.features.feature_scale`.
        alpha: Step in the same unit; the paper's is eps.
        steps: Sign steps, at least 1.
        random_start: Start anywhere in the ball (Algorithm 1); the authors' code starts at the features.
        guidance: Features of the augmented utterances; None leaves the guidance out (PAT).
        generator: On the CPU; needed by a random start and by shuffled targets.
        release: The differences of the authors' code to take over.
        precision: A key of PRECISIONS: "bfloat16" takes the passes through autocast; a sign step needs few digits.

    Raises:
        ArgumentError: A radius or a number of steps that is none, no generator where one is needed.

    Source: WAPAT, Interspeech 2023, equations 2 and 3, Algorithm 1. The paper leaves open which side of the divergence
        carries the gradient: the utterance's own does.
    """
    release = release or Release()
    _check(eps, alpha, steps=steps, precision=precision)
    if generator is None and (random_start or release.shuffled_targets):
        raise ArgumentError("a random start and shuffled targets must be given a generator; got none")
    with still(recognizer), torch.enable_grad(), lowered(precision, features.values.device):
        climb = _Climb(recognizer, features.detach(), texts, eps=eps, release=release, generator=generator)
        twin = None if guidance is None else climb.twin(guidance.detach())
        delta = _start(features.values, climb.eps, generator=generator if random_start else None) * climb.mask
        best, highest = delta, None
        for _ in range(steps):
            slope, losses = climb.slope(delta, twin)
            if release.best_before_step:
                better = losses > highest if highest is not None else torch.ones_like(losses, dtype=torch.bool)
                best = torch.where(better[:, None, None], delta, best)
                highest = losses if highest is None else torch.maximum(losses, highest)
            delta = ascend(delta, slope, alpha=alpha, eps=climb.eps.flatten()) * climb.mask
            if release.clamped:
                delta = ((climb.values + delta).clamp(-1, 1) - climb.values) * climb.mask
    unguided = 0 if twin is None else len(texts) - int(twin.alike.sum())
    return Adversary((best if release.best_before_step else delta).detach(), unguided)


class _Twin(NamedTuple):
    """The augmented utterances: B x F x D values, their gradient, the answer at their adversary, who is alike."""

    values: Tensor
    slope: Tensor
    log_probs: Tensor | None
    alike: Tensor


class _Climb:
    """The objective at a batch; `eps` is B x 1 x 1."""

    def __init__(
        self,
        recognizer: Recognizer,
        features: Features,
        texts: Sequence[str],
        *,
        eps: float | Tensor,
        release: Release,
        generator: torch.Generator | None,
    ) -> None:
        self.recognizer, self.features, self.release = recognizer, features, release
        self.values, self.mask = features.values, features.mask[..., None]
        self.eps = torch.as_tensor(eps, dtype=self.values.dtype, device=self.values.device).expand(len(texts))
        self.eps = self.eps[:, None, None]
        self.texts, self.told = list(texts), None
        if release.shuffled_targets:
            others = [self.texts[i] for i in torch.randperm(len(texts), generator=generator).tolist()]
            fits = recognizer.fits(others, features.frames).tolist()
            self.texts = [o if fit else own for o, own, fit in zip(others, self.texts, fits, strict=True)]
            self.told = torch.tensor(fits, device=self.values.device)[:, None, None]

    def losses(self, values: Tensor) -> Tensor:
        """Return the loss of each utterance, [B]."""
        log_probs = self.recognizer.from_features(self.features.of(values))
        return self.recognizer.loss(log_probs, self.features.frames, self.texts)

    def loss_slope(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient of the loss, zero on padding, and the losses."""
        leaf = values.detach().requires_grad_()
        losses = self.losses(leaf)
        (slope,) = torch.autograd.grad(losses.sum(), leaf)
        return (slope if self.told is None else slope * self.told) * self.mask, losses.detach()

    def twin(self, guidance: Features) -> _Twin:
        """Take the augmented utterances one sign step up, and note what the recogniser answers there."""
        alike = guidance.frames == self.features.frames
        short = self.values.shape[1] - guidance.values.shape[1]
        values = functional.pad(guidance.values, (0, 0, 0, short))  # a negative number of frames is cut off
        # An utterance of other length stands in for its own twin: its text may not fit the augmented frames.
        values = torch.where(alike[:, None, None], values, self.values)
        slope, _ = self.loss_slope(values)
        if self.release.cosine_guidance:
            return _Twin(values, slope, None, alike)
        with torch.no_grad():
            log_probs = self.recognizer.from_features(self.features.of(values + self.eps * slope.sign()))
        return _Twin(values, slope, log_probs, alike)

    def slope(self, delta: Tensor, twin: _Twin | None) -> tuple[Tensor, Tensor]:
        """Return the gradient of the whole objective at a perturbation, and the loss there."""
        slope, losses = self.loss_slope(self.values + delta)
        if twin is None:
            return slope, losses
        if self.release.cosine_guidance:
            slope = torch.where(twin.alike[:, None, None], (slope + twin.slope) / 2, slope)
            leaf = (self.values + delta).detach().requires_grad_()
            apart = functional.cosine_similarity(leaf, twin.values, dim=2)
        else:
            leaf = (self.values + self.eps * slope.sign()).detach().requires_grad_()
            apart = divergence(self.recognizer.from_features(self.features.of(leaf)), twin.log_probs)
        apart = frame_mean(apart, self.features) * twin.alike
        (away,) = torch.autograd.grad(apart.sum(), leaf)
        return slope - away * self.mask, losses


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) of each frame, B x F, from log-probabilities B x F x C."""
    return (log_p.exp() * (log_p - log_q)).sum(2)


def frame_mean(values: Tensor, features: Features) -> Tensor:
    """Return each utterance's mean of values B x F over its own frames, [B]."""
    return values.masked_fill(~features.mask, 0).sum(1) / features.frames


def _start(values: Tensor, eps: Tensor, *, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return torch.zeros_like(values)
    # Drawn on the CPU, so that every device starts from the same place.
    return (2 * torch.rand(values.shape, generator=generator) - 1).to(values) * eps


def _check(eps: float | Tensor, alpha: float | Tensor, *, steps: int, precision: str) -> None:
    for name, value in {"eps": eps, "alpha": alpha}.items():
        # A tensor comes from `feature_scale` times a number that was checked; to look at it would wait for the device.
        if not isinstance(value, Tensor) and not value >= 0:
            raise ArgumentError(f"{name} must be at least 0; got {value:g}")
    if steps < 1:
        raise ArgumentError(f"steps must be at least 1; got {steps}; eps 0 turns the adversary off")
    if precision not in PRECISIONS:
        raise ArgumentError(f"precision must be one of {', '.join(PRECISIONS)}; got {precision!r}")

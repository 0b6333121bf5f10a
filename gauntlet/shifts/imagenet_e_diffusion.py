"""ImageNet-E at full scale: the authors' prior for background editing, an unconditional diffusion model."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.shifts.imagenet_e_background import Prediction


def respaced(alphas_cumprod: Tensor, *, steps: int) -> tuple[Tensor, Tensor]:
    """Pick `steps` evenly spaced steps of a longer diffusion.

    Args:
        alphas_cumprod: Share of the signal's variance after each step, falling, shape T.
        steps: How many to keep, in [1, T].

    Returns:
        Their indices (int64) and their alphas_cumprod, shape `steps`.

    Source: improved-diffusion, `space_timesteps`.
    """
    total = len(alphas_cumprod)
    if not 1 <= steps <= total:
        raise ArgumentError(f"respaced steps must lie in 1..{total}; got {steps}")
    chosen = torch.linspace(0, total - 1, steps).round().long()
    return chosen, alphas_cumprod[chosen]


@dataclass(frozen=True)
class DiffusionPrior:
    """What an unconditional diffusion model takes for a natural picture.

    Attributes:
        denoiser: (x, t) -> predicted noise, or noise and the interpolation of the learned variance (twice the
            channels); x BCHW in about [-1, 1], t int64 B on the model's own scale.
        alphas_cumprod: The model's schedule, shape T (1,000 in the paper, linear).
        respaced_steps: Steps that the whole diffusion is cut down to; a chain starts at step `steps` of these.

    Source: ImageNet-E, code: ADM 256x256 unconditional, 1,000 steps re-spaced to 100, started at 25.
    """

    denoiser: Callable[[Tensor, Tensor], Tensor]
    alphas_cumprod: Tensor
    respaced_steps: int = 100

    def chain(
        self, background: Tensor, masks: Tensor, *, amount: float, steps: int, generator: torch.Generator
    ) -> "DiffusionChain":
        """Begin a chain at the given backgrounds, noised up to step `steps`."""
        if steps > self.respaced_steps:
            raise ArgumentError(f"steps must be at most the {self.respaced_steps} re-spaced ones; got {steps}")
        return DiffusionChain(self, background, steps=steps, generator=generator)


class DiffusionChain:
    """A run of `DiffusionPrior`: ancestral sampling whose mean is moved by the gradient times the variance."""

    normalised = False

    def __init__(self, prior: DiffusionPrior, background: Tensor, *, steps: int, generator: torch.Generator):
        """Cut the schedule down; see `DiffusionPrior` and `edit_background`."""
        self.denoiser, self.background, self.steps, self.generator = prior.denoiser, background, steps, generator
        chosen, kept = respaced(prior.alphas_cumprod.double(), steps=prior.respaced_steps)
        self.model_step = chosen.tolist()
        self.kept, self.kept_before = kept.tolist(), [1.0, *kept[:-1].tolist()]

    def start(self) -> Tensor:
        """Return the noised backgrounds."""
        return self.at_step(self.background, self.steps)

    def at_step(self, image: Tensor, t: int) -> Tensor:
        """Noise pictures as they are before step t - 1 is undone: q(x_t | x_0), on [-1, 1]; t = 0 adds nothing."""
        signal = self.kept[t - 1] if t else 1.0
        return signal**0.5 * (2 * image - 1) + (1 - signal) ** 0.5 * self._noise(image)

    def predict(self, x: Tensor, t: int) -> Prediction:
        """Return the model's clean pictures, and mean and variance of the next state."""
        steps = torch.full((len(x),), self.model_step[t], dtype=torch.long, device=x.device)
        output = self.denoiser(x, steps)
        noise, learned = output.split(x.shape[1], dim=1) if output.shape[1] == 2 * x.shape[1] else (output, None)
        signal, before = self.kept[t], self.kept_before[t]
        clean = (x - (1 - signal) ** 0.5 * noise) / signal**0.5
        beta = 1 - signal / before
        mean = before**0.5 * beta / (1 - signal) * clean + (signal / before) ** 0.5 * (1 - before) / (1 - signal) * x
        shortest = max(beta * (1 - before) / (1 - signal), 1e-12)
        variance = x.new_tensor(shortest)
        if learned is not None:
            share = (learned + 1) / 2
            variance = torch.exp(share * x.new_tensor(beta).log() + (1 - share) * variance.log())
        return Prediction(image=(clean + 1) / 2, mean=mean, variance=variance)

    def step(self, prediction: Prediction, t: int, gradient: Tensor) -> Tensor:
        """Draw the next state; the last one has no noise."""
        mean = prediction.mean - prediction.variance * gradient
        return mean + prediction.variance**0.5 * self._noise(mean) if t else mean

    def finish(self, x: Tensor) -> Tensor:
        """Bring the last state to [0, 1]."""
        return (x + 1) / 2

    def _noise(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=self.generator).to(x)

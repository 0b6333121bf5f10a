"""ImageNet-E, third step: make the background smoother or busier by following the complexity objective.

`edit_background` is the one loop; what an edited picture may look like is the prior's business. `PixelPrior` needs no
weights; `gauntlet.shifts.imagenet_e_diffusion` holds the authors' prior, a diffusion model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, log_softmax, max_pool2d

from gauntlet.errors import ArgumentError

RANGE_WEIGHT = 50.0


def complexity(x: Tensor) -> Tensor:
    """Return the mean amplitude spectrum of each picture.

    Args:
        x: Pictures in [0, 1], BCHW, object and all.

    Returns:
        C(x) = mean over channels and frequencies, zero included, of |FFT2(x)|, shape B. A constant picture gives its
        value; C(k x) = k C(x).

    Source: ImageNet-E, code, `--hard`; no grey-level co-occurrence matrix is in it.
    """
    amplitude = torch.fft.rfft2(x).abs()
    count = torch.full((amplitude.shape[-1],), 2.0, dtype=x.dtype, device=x.device)
    count[0] = 1
    if x.shape[-1] % 2 == 0:
        count[-1] = 1
    return (amplitude.sum(dim=-2) @ count).mean(dim=1) / (x.shape[-2] * x.shape[-1])


def range_loss(x: Tensor) -> Tensor:
    """Return how far pictures leave the pixel range: mean (u - clamp(u, -1, 1))^2 with u = 2x - 1, shape B."""
    u = 2 * x - 1
    return (u - u.clamp(-1, 1)).square().mean(dim=(1, 2, 3))


class Prediction(NamedTuple):
    """What a prior makes of the current state: the clean picture in [0, 1], and the next mean and variance."""

    image: Tensor
    mean: Tensor
    variance: Tensor | float


class Chain(Protocol):
    """One run of a prior over a batch; states are BCHW, on the prior's own scale."""

    normalised: bool
    """Whether gradients of different losses are brought to equal size before they are added."""
    steps: int
    """Steps that the chain takes."""

    def start(self) -> Tensor:
        """Return the first state."""
        ...

    def predict(self, x: Tensor, t: int) -> Prediction:
        """Predict the clean picture from the state before step t is undone, differentiably."""
        ...

    def step(self, prediction: Prediction, t: int, gradient: Tensor) -> Tensor:
        """Return the next state, moved against the gradient of the loss."""
        ...

    def at_step(self, image: Tensor, t: int) -> Tensor:
        """Bring a picture in [0, 1] to the state after step t is undone."""
        ...

    def finish(self, x: Tensor) -> Tensor:
        """Bring the last state to [0, 1]."""
        ...


class Prior(Protocol):
    """Makes chains: what backgrounds look like."""

    def chain(
        self, background: Tensor, masks: Tensor, *, amount: float, steps: int, generator: torch.Generator
    ) -> Chain:
        """Begin a chain at the backgrounds; the objects lie where the masks are 1."""
        ...


def edit_background(
    x: Tensor,
    masks: Tensor,
    *,
    amount: float,
    steps: int,
    prior: Prior,
    generator: torch.Generator,
    background: Tensor | None = None,
    classifier: Callable[[Tensor], Tensor] | None = None,
    y: Tensor | None = None,
    classifier_scale: float = 1.0,
) -> Tensor:
    """Edit all but the objects so that the pictures' complexity falls or rises.

    Args:
        x: Pictures with their objects, in [0, 1], BCHW.
        masks: Opacity of the objects in [0, 1], B1HW; where it is 1 the result equals `x` exactly.
        amount: Lambda of the paper: -20 smoother, 20 busier, 0 the control that only passes the pipeline.
        steps: Steps of the chain, at least 1 (of 100 in the diffusion prior; the authors use 25).
        prior: What a background may look like.
        generator: Source of all randomness, on the CPU.
        background: Pictures without their objects, BCHW; `x` if none are given.
        classifier: Victim of the adversarial setting: pixels in [0, 1] to logits.
        y: Its true labels, B; needed with a classifier.
        classifier_scale: Weight of the adversarial gradient.

    Returns:
        Edited pictures in [0, 1], BCHW: (1 - M) b + M x.

    Raises:
        ArgumentError: Fewer than one step, shapes that do not fit, a classifier without labels.

    Source: ImageNet-E, code: L = -lambda C + 50 range on the predicted clean picture, the object re-imposed at
    each step; adversarial: + scale * log p_y.
    """
    _check(x, masks, steps=steps, labelled=classifier is None or y is not None)
    chain = prior.chain(x if background is None else background, masks, amount=amount, steps=steps, generator=generator)
    state = chain.start()
    for t in reversed(range(chain.steps)):
        state = state.detach().requires_grad_()
        prediction = chain.predict(state, t)
        loss = RANGE_WEIGHT * range_loss(prediction.image)
        if amount:
            loss = loss - amount * complexity(prediction.image)
        (gradient,) = torch.autograd.grad(loss.sum(), state, retain_graph=classifier is not None)
        if classifier is not None:
            likelihood = log_softmax(classifier(prediction.image), dim=1).gather(1, y[:, None]).sum()
            (against,) = torch.autograd.grad(likelihood, state)
            ratio = _rms(gradient) / _rms(against) if chain.normalised else 1.0
            gradient = gradient + classifier_scale * ratio * against
        with torch.no_grad():
            state = chain.step(prediction, t, gradient)
            state = torch.where(masks == 1, chain.at_step(x, t), state)
    background = chain.finish(state.detach()).clamp(0, 1)
    return torch.where(masks == 1, x, (1 - masks) * background + masks * x)


def _check(x: Tensor, masks: Tensor, *, steps: int, labelled: bool) -> None:
    if steps < 1:
        raise ArgumentError(f"steps must be at least 1; got {steps}")
    if masks.shape != (x.shape[0], 1, *x.shape[2:]):
        raise ArgumentError(f"masks must be B1HW of the pictures' size {tuple(x.shape)}; got {tuple(masks.shape)}")
    if not labelled:
        raise ArgumentError("y must be given with a classifier; got none")


def _lightest(x: Tensor, size: int) -> Tensor:
    """Return the largest value in the square of `size` px around each pixel, rows and columns in turn."""
    rows = max_pool2d(x, (1, size), stride=1, padding=(0, size // 2))
    return max_pool2d(rows, (size, 1), stride=1, padding=(size // 2, 0))


def _rms(x: Tensor) -> Tensor:
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 1e-20


@dataclass(frozen=True)
class PixelPrior:
    """Natural backgrounds without weights: changes follow a 1/f spectrum, in a ball around the start.

    A busier background grows its texture from faint copies of itself at one, two and three octaves higher, so that it
    stays in its own palette and does not turn into white noise.

    Attributes:
        rate: Change of a pixel in the first step, RMS for each unit of lambda; falls to 0 over the chain.
        radius: Most that the background may change, RMS for each unit of |lambda|.
        texture: RMS of the faint copies at the start; none where lambda is negative.
        corner: Frequency, in cycles per picture, from which on changes fall as 1/f.
        window: A smoother background stays between the darkest and the lightest value of this neighbourhood, a share
            of the side: C counts the object too, and ripples around it would lower C.
        chroma: Share of the changes of colour, as opposed to lightness, that is let through, in [0, 1].
    """

    rate: float = 0.002
    radius: float = 0.004
    texture: float = 0.02
    corner: float = 4.0
    window: float = 0.08
    chroma: float = 0.4

    def chain(
        self, background: Tensor, masks: Tensor, *, amount: float, steps: int, generator: torch.Generator
    ) -> "PixelChain":
        """Begin a chain around the given backgrounds; the control has no ball to move in and takes one step."""
        return PixelChain(self, background, masks, amount=amount, steps=steps if amount else 1, generator=generator)


class PixelChain:
    """A run of `PixelPrior`: normalised gradient steps through its spectrum."""

    normalised = True

    def __init__(self, prior, background, masks, *, amount, steps, generator):
        """Fix where the chain may go; see `PixelPrior` and `edit_background`."""
        self.prior, self.background, self.free = prior, background, 1 - masks
        self.radius, self.steps, self.generator = prior.radius * abs(amount), steps, generator
        self.texture = prior.texture if amount >= 0 else 0.0
        self.bounds = (0.0, 1.0)
        if amount < 0:
            size = 2 * round(prior.window * min(background.shape[2:]) / 2) + 1
            self.bounds = (-_lightest(-background, size), _lightest(background, size))
        height, width = background.shape[2:]
        rows, columns = torch.fft.fftfreq(height) * height, torch.fft.rfftfreq(width) * width
        weight = 1 / (1 + torch.hypot(rows[:, None], columns[None]) / prior.corner)
        weight[0, 0] = 0
        self.weight = (weight / weight.square().mean().sqrt()).to(background)

    def start(self) -> Tensor:
        """Return the background with the faint copies; the centre of the ball."""
        texture = octaves(self.background, generator=self.generator)
        self.centre = self.background + self.texture * texture / (_rms(texture) + 1e-3)
        return self.centre

    def predict(self, x: Tensor, t: int) -> Prediction:
        """Take the state for the clean picture."""
        return Prediction(image=x, mean=x, variance=self.prior.rate * ((t + 1) / self.steps) ** 2)

    def step(self, prediction: Prediction, t: int, gradient: Tensor) -> Tensor:
        """Go down the gradient: its spectrum is reshaped, its length that of lambda, the ball and the range kept."""
        if self.radius == 0:
            return self.centre.clamp(*self.bounds)
        height, width = gradient.shape[2:]
        # one unit of lambda has gradient RMS 1 / (C sqrt(HW)): the gradient of C is a sum of unit phasors
        unit = -gradient.shape[1] * (height * width) ** 0.5
        move = torch.fft.irfft2(torch.fft.rfft2(gradient) * (unit * self.weight), s=(height, width))
        lightness = move.mean(dim=1, keepdim=True)
        x = prediction.mean + prediction.variance * torch.lerp(lightness, move, self.prior.chroma)
        away = x - self.centre
        return (self.centre + away * (self.radius / _rms(away * self.free)).clamp(max=1)).clamp(*self.bounds)

    def at_step(self, image: Tensor, t: int) -> Tensor:
        """Return the object's pixels as they are: no noise here."""
        return image

    def finish(self, x: Tensor) -> Tensor:
        """Return the picture of the last state."""
        return x


def octaves(x: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return a texture made of pictures themselves: mirrored copies at 1/2, 1/4 and 1/8 of their size, as tiles.

    Args:
        x: Pictures, BCHW.
        generator: Draws where the tiles begin.

    Returns:
        The texture, of zero mean, BCHW.
    """
    height, width = x.shape[2:]
    texture = torch.zeros_like(x)
    for octave in (1, 2, 3):
        size = (max(1, height >> octave), max(1, width >> octave))
        tile = interpolate(x, size=size, mode="area")
        tile = torch.cat([tile, tile.flip(3)], dim=3)
        tile = torch.cat([tile, tile.flip(2)], dim=2)
        tile = tile.repeat(1, 1, -(-height // tile.shape[2]), -(-width // tile.shape[3]))[..., :height, :width]
        down, along = (int(torch.randint(side, (1,), generator=generator)) for side in (height, width))
        texture += 0.7**octave * (tile - tile.mean(dim=(2, 3), keepdim=True)).roll((down, along), dims=(2, 3))
    return texture

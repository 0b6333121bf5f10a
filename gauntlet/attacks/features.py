"""PGD on recognisers: in the space of the frozen front's features, and on the waveform itself.

Both climb the recogniser's own loss of what was said, per utterance, and leave padding as it is.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Features, Recognizer, Transcriber, frame_mask


def feature_scale(features: Features) -> Tensor:
    """Return the standard deviation of each utterance's features, over its own frames and all dimensions.

    A radius times this scale means the same for every front end: log-mel, convolutions, hidden layers.

    Args:
        features: B x F x D, padded.

    Returns:
        float32 [B].
    """
    beyond = ~features.mask[..., None]
    count = features.frames[:, None, None] * features.values.shape[2]
    mean = features.values.masked_fill(beyond, 0).sum((1, 2), keepdim=True) / count
    squares = (features.values - mean).square().masked_fill(beyond, 0)
    return (squares.sum((1, 2)) / count[:, 0, 0]).sqrt()


def ascend(delta: Tensor, slope: Tensor, *, alpha: float | Tensor, eps: float | Tensor) -> Tensor:
    """Take a step of length alpha along the sign of the slope, then clip to the Linf ball.

    Args:
        delta: B x anything.
        slope: Like delta: the gradient of what is maximised.
        alpha: At least 0; a number or [B].
        eps: Radius, at least 0; a number or [B].

    Returns:
        Like delta; no entry leaves [-eps, eps]. The features themselves have no range to be clipped to.
    """
    alpha, eps = (_per_utterance(value, delta) for value in (alpha, eps))
    return torch.minimum(torch.maximum(delta + alpha * slope.sign(), -eps), eps)


def feature_pgd(
    recognizer: Recognizer,
    features: Features,
    texts: Sequence[str],
    *,
    eps: float | Tensor,
    alpha: float | Tensor,
    steps: int,
    random_start: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Perturb features so that the recogniser's loss of the texts grows.

    Args:
        recognizer: In eval mode; only `from_features` and `loss` are called.
        features: Of the front; not changed.
        texts: What was said, B normalised texts that fit into their frames.
        eps: Linf radius in the features' own unit, at least 0; a number or [B], such as 0.1 * feature_scale(features).
        alpha: Length of a step, at least 0; a number or [B].
        steps: At least 1.
        random_start: Start anywhere in the ball, otherwise at the features.
        generator: On the CPU. None only without a random start.

    Returns:
        delta, B x F x D: in [-eps, eps], 0 on padded frames. It is the last iterate.

    Raises:
        ArgumentError: A negative radius or step, a text longer than its frames, or a loss that is not finite.

    Source: the inner problem of WAPAT's equation 2, Interspeech 2023, as an attack of its own.
    """
    mask = features.mask[..., None]
    values = features.values.detach()
    eps = _checked(eps, values, alpha=alpha, steps=steps)

    def losses(delta: Tensor) -> Tensor:
        return recognizer.loss(recognizer.from_features(features.of(values + delta)), features.frames, texts)

    delta = _start(values, eps, generator=_chance(generator, random_start)) * mask
    for step in range(steps):
        delta = ascend(delta, _slope(losses, delta, first=step == 0), alpha=alpha, eps=eps) * mask
    return delta


def waveform_pgd(
    recognizer: Transcriber,
    waveform: Tensor,
    lengths: Tensor,
    *,
    texts: Sequence[str],
    eps: float | Tensor,
    alpha: float | Tensor,
    steps: int,
    random_start: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Perturb waveforms so that the recogniser's loss of the texts grows.

    Args:
        recognizer: In eval mode; only `waveform_loss` is called.
        waveform: float32 B x T in [-1, 1], zero-padded; not changed.
        lengths: int64 [B], samples.
        texts: What was said, B normalised texts.
        eps: Linf radius on [-1, 1] (0.002, not 65), at least 0; a number or [B].
        alpha: Length of a step, at least 0; a number or [B].
        steps: At least 1.
        random_start: Start anywhere in the ball, otherwise at the waveform.
        generator: On the CPU. None only without a random start.

    Returns:
        delta, like waveform: in [-eps, eps], 0 beyond each length, and waveform + delta is in [-1, 1] but for
        rounding. It is the last iterate.

    Raises:
        ArgumentError: A radius outside [0, 1], a negative step, a text longer than its frames, a loss not finite.

    Source: Madry et al., ICLR 2018, on the waveform as in AdvEx (Interspeech 2023's waveform AT).
    """
    clean = waveform.detach()
    eps = _checked(eps, clean, alpha=alpha, steps=steps)
    if bool((eps > 1).any()):
        raise ArgumentError(f"eps must lie in [0, 1] (0.002 on [-1, 1], not 65); got {float(eps.max()):g}")
    within = frame_mask(lengths, clean.shape[1])

    def losses(delta: Tensor) -> Tensor:
        return recognizer.waveform_loss(clean + delta, lengths, texts)

    def inside(delta: Tensor) -> Tensor:
        return ((clean + delta).clamp(-1, 1) - clean) * within

    delta = inside(_start(clean, eps, generator=_chance(generator, random_start)))
    for step in range(steps):
        delta = inside(ascend(delta, _slope(losses, delta, first=step == 0), alpha=alpha, eps=eps))
    return delta


def snr_db(waveform: Tensor, attacked: Tensor) -> Tensor:
    """Return how far each utterance stands above its perturbation.

    Args:
        waveform: B x T, zero-padded.
        attacked: Like waveform.

    Returns:
        10 log10(|x|^2 / |x' - x|^2) [B], in dB; infinite where nothing was changed.
    """
    return 10 * (waveform.square().sum(1) / (attacked - waveform).square().sum(1)).log10()


def _per_utterance(value: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(-1, *[1] * (like.dim() - 1))


def _checked(eps: float | Tensor, x: Tensor, *, alpha: float | Tensor, steps: int) -> Tensor:
    for name, value in {"eps": eps, "alpha": alpha}.items():
        least = float(torch.as_tensor(value).min())
        if not least >= 0:
            raise ArgumentError(f"{name} must be a number of at least 0; got {least:g}")
    if steps < 1:
        raise ArgumentError(f"steps must be at least 1; got {steps}")
    return _per_utterance(eps, x)


def _chance(generator: torch.Generator | None, random_start: bool) -> torch.Generator | None:
    if random_start and generator is None:
        raise ArgumentError("generator must be given with random_start; got None")
    return generator if random_start else None


def _start(x: Tensor, eps: Tensor, *, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return torch.zeros_like(x)
    # Drawn on the CPU, so that every device starts from the same place.
    return (2 * torch.rand(x.shape, generator=generator) - 1).to(x) * eps


def _slope(losses: Callable[[Tensor], Tensor], delta: Tensor, *, first: bool) -> Tensor:
    leaf = delta.detach().requires_grad_()
    with torch.enable_grad():
        found = losses(leaf)
        if first and not bool(found.isfinite().all()):
            place = int((~found.isfinite()).nonzero()[0])
            raise ArgumentError(
                f"every loss must be finite; got {found[place].item():g} for utterance {place}; "
                "a text longer than its frames, NaN in a weight?"
            )
        (slope,) = torch.autograd.grad(found.sum(), leaf)
    return slope

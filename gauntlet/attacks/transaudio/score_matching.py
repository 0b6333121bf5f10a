"""Denoising score matching: how far a recogniser's gradient is from the slope of the data's density.

The residual of an utterance x with noise n is |sigma s + n|^2 / T at x + sigma n, with the score
s = d log p(y|x) / dx of a recogniser. Its own gradients need a second derivative, which CTC has not in torch; all
products with it are central differences of first derivatives here.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Transcriber, frame_mask
from gauntlet.waveforms import Waveforms

_STEP = 0.1
"""Root mean square of the finite step, in units of sigma."""

_TINY = 1e-20


class Residual(NamedTuple):
    """The residual of each utterance, [B], and its gradient in the waveform, B x T."""

    value: Tensor
    gradient: Tensor


def residual(
    recognizer: Transcriber, utterances: Waveforms, *, texts: Sequence[str], noise: Tensor, sigma: float
) -> Residual:
    """Return the residual of score matching at one draw of noise, and its gradient.

    Args:
        recognizer: In eval mode.
        utterances: float32 B x T.
        texts: Normalised.
        noise: float32 B x T from the standard normal distribution.
        sigma: Standard deviation, above 0.

    Returns:
        Residuals, 1 for a recogniser without slope, and gradients.

    Raises:
        ArgumentError: A sigma that is not above 0.

    Source: Vincent, Neural Computation 2011 (denoising score matching), weighted by sigma^2 as in Song and Ermon,
    NeurIPS 2019. TransAudio's own term is in its abstract only; this is the reading of Li et al., TIP 2022
    (arXiv 2210.04213), by the same group.
    """
    found = _mismatch(recognizer, utterances, texts, noise=noise, sigma=sigma)
    ahead, behind = (
        _score(recognizer, Waveforms(found.noisy + sign * found.step * found.mismatch, utterances.lengths), texts)
        for sign in (1, -1)
    )
    product = (ahead - behind) / (2 * found.step)
    return Residual(found.value, 2 * sigma / utterances.lengths[:, None] * product)


def tuning_loss(
    recognizer: Transcriber, utterances: Waveforms, *, texts: Sequence[str], noise: Tensor, sigma: float, lam: float
) -> Tensor:
    """Return a loss whose gradient in the weights is that of loss + lam * residual; its own value means nothing.

    Args:
        recognizer: Its weights want gradients.
        utterances: float32 B x T.
        texts: Normalised.
        noise: float32 B x T from the standard normal distribution.
        sigma: Standard deviation, above 0.
        lam: Weight of the residual.

    Returns:
        [B].

    Source: as `residual`; d|sigma s + n|^2 = 2 sigma (sigma s + n) . ds, and v . s is log p's slope along v.
    """
    found = _mismatch(recognizer, utterances, texts, noise=noise, sigma=sigma)
    ahead, behind = (
        recognizer.waveform_loss(found.noisy + sign * found.step * found.mismatch, utterances.lengths, texts)
        for sign in (1, -1)
    )
    along = -_symbols(texts, ahead) * (ahead - behind) / (2 * found.step[:, 0])
    return recognizer.waveform_loss(*utterances, texts) + lam * 2 * sigma / utterances.lengths * along


class Batch(NamedTuple):
    """Utterances to tune on, with their texts."""

    utterances: Waveforms
    texts: Sequence[str]


def tuned(
    recognizer: torch.nn.Module,
    batches: Iterable[Batch],
    *,
    sigma: float,
    lam: float,
    rate: float,
    generator: torch.Generator,
) -> torch.nn.Module:
    """Return a copy of a surrogate whose gradients are nearer to the data's.

    Args:
        recognizer: Stays as it is.
        batches: One an update.
        sigma: Standard deviation of the noise, above 0.
        lam: Weight of the residual, at least 0.
        rate: Learning rate of Adam, above 0.
        generator: Of the noise, on the CPU.

    Returns:
        The tuned copy, in eval mode, its weights frozen.

    Raises:
        ArgumentError: A sigma or rate that is not above 0.

    Source: variant R1 of the reconstruction that `residual` names: L_asr + lam * residual.
    """
    if not rate > 0:
        raise ArgumentError(f"rate must be above 0; got {rate}")
    own = copy.deepcopy(recognizer).eval().requires_grad_(True)
    optimizer = torch.optim.Adam(own.parameters(), lr=rate)
    for loss in _losses(own, batches, sigma=sigma, lam=lam, generator=generator):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return own.requires_grad_(False)


def _losses(
    recognizer: Transcriber, batches: Iterable[Batch], *, sigma: float, lam: float, generator: torch.Generator
) -> Iterator[Tensor]:
    for utterances, texts in batches:
        noise = torch.randn(utterances.waveform.shape, generator=generator).to(utterances.waveform.device)
        yield tuning_loss(recognizer, utterances, texts=texts, noise=noise, sigma=sigma, lam=lam).mean()


class _Mismatch(NamedTuple):
    noisy: Tensor
    mismatch: Tensor
    step: Tensor
    value: Tensor


def _mismatch(
    recognizer: Transcriber, utterances: Waveforms, texts: Sequence[str], *, noise: Tensor, sigma: float
) -> _Mismatch:
    if not sigma > 0:
        raise ArgumentError(f"sigma must be above 0; got {sigma}")
    mask = frame_mask(utterances.lengths, noise.shape[1])
    noise = noise * mask
    noisy = utterances.waveform.detach() + sigma * noise
    mismatch = sigma * _score(recognizer, Waveforms(noisy, utterances.lengths), texts) * mask + noise
    value = mismatch.square().sum(1) / utterances.lengths
    step = _STEP * sigma / value.clamp_min(_TINY).sqrt()
    return _Mismatch(noisy, mismatch, step[:, None], value)


def _score(recognizer: Transcriber, utterances: Waveforms, texts: Sequence[str]) -> Tensor:
    """Return d log p / dx, B x T; the loss is a mean over the symbols of a text."""
    with torch.enable_grad():
        x = utterances.waveform.detach().requires_grad_(True)
        loss = recognizer.waveform_loss(x, utterances.lengths, texts)
        return torch.autograd.grad(-(_symbols(texts, loss) * loss).sum(), x)[0]


def _symbols(texts: Sequence[str], like: Tensor) -> Tensor:
    return torch.tensor([len(text) for text in texts], dtype=like.dtype, device=like.device)

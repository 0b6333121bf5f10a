"""Few-shot accuracy over seeds and sets with intervals, and what an attention map shows.

A few-shot result varies with the pictures that are tested and with the shots that were drawn, so an interval here
draws both: pictures and seeds, with replacement, independently of each other.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, percentile_interval


def accuracy_draws(correct: np.ndarray, *, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return the accuracies on resamples of pictures and seeds.

    Args:
        correct: Whether a picture was classified rightly, [seeds, pictures, K] (booleans); the columns are drawn
            together, so that differences between two of them are paired.
        resamples: Draws, at least 1.
        generator: Draws the pictures and the seeds.

    Returns:
        [resamples, K], in [0, 1].

    Raises:
        ArgumentError: No seed, no picture or no resample.

    Source: Efron and Tibshirani (1993), the bootstrap with two crossed factors (Owen, 2007: the pigeonhole bootstrap).
    """
    if correct.ndim != 3 or 0 in correct.shape[:2] or resamples < 1:
        raise ArgumentError(
            f"correct must be [seeds, pictures, K] with some of each, and resamples at least 1; got {correct.shape} "
            f"and {resamples}"
        )
    seeds, pictures, columns = correct.shape
    of_pictures = generator.multinomial(pictures, np.full(pictures, 1 / pictures), size=resamples)
    of_seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    by_picture = of_pictures.astype(np.float64) @ correct.transpose(1, 0, 2).reshape(pictures, -1)
    by_picture = by_picture.reshape(resamples, seeds, columns)
    return np.einsum("rs,rsk->rk", of_seeds, by_picture) / (seeds * pictures)


def accuracies(correct: np.ndarray, *, resamples: int, generator: np.random.Generator) -> list[Interval]:
    """Return the mean accuracy over seeds of each column with its 95 % interval over pictures and seeds.

    Args:
        correct: As `accuracy_draws` takes it.
        resamples: Draws, at least 1.
        generator: Draws the pictures and the seeds.

    Returns:
        K intervals; n is the number of pictures.
    """
    draws = accuracy_draws(correct, resamples=resamples, generator=generator)
    values = correct.mean(axis=(0, 1))
    return [percentile_interval(value, draws[:, place], n=correct.shape[1]) for place, value in enumerate(values)]


def mean_over_sets(sets: Sequence[np.ndarray], *, resamples: int, generator: np.random.Generator) -> list[Interval]:
    """Return the mean over sets of the accuracies, every set weighing the same, with the 95 % interval.

    Pictures and seeds are drawn within each set; the sets themselves are not drawn, as they are the benchmark.

    Args:
        sets: One [seeds, pictures, K] a set, with the same K columns.
        resamples: Draws, at least 1.
        generator: Draws the pictures and the seeds.

    Returns:
        K intervals; n is the number of pictures of all sets.

    Raises:
        ArgumentError: No set, or sets of different columns.
    """
    if not sets or len({correct.shape[-1] for correct in sets}) != 1:
        raise ArgumentError(f"sets must be at least one, all with the same columns; got {[c.shape for c in sets]}")
    draws = np.mean([accuracy_draws(correct, resamples=resamples, generator=generator) for correct in sets], axis=0)
    values = np.mean([correct.mean(axis=(0, 1)) for correct in sets], axis=0)
    n = sum(correct.shape[1] for correct in sets)
    return [percentile_interval(value, draws[:, place], n=n) for place, value in enumerate(values)]


def attention_entropy(weights: Tensor) -> Tensor:
    """Return the entropy of each picture's attention in nats, the mean over its heads.

    Args:
        weights: [N, heads, tokens], each row summing to 1; token 0 is the mean of the others.

    Returns:
        [N], in [0, log tokens]: 0 where every head looks at one token.

    >>> import torch
    >>> attention_entropy(torch.full((1, 2, 4), 0.25)).exp()
    tensor([4.])
    """
    return -(weights * weights.clamp_min(1e-12).log()).sum(-1).mean(-1)


def attention_maps(weights: Tensor, *, shape: tuple[int, int]) -> Tensor:
    """Return where a picture's attention lies, the mean over heads.

    Args:
        weights: [N, heads, 1 + h * w]; what token 0, the mean of all places, gets is left out.
        shape: h and w.

    Returns:
        [N, h, w], each map summing to 1.

    Raises:
        ArgumentError: The weights are not of 1 + h * w tokens.
    """
    height, width = shape
    if weights.shape[-1] != 1 + height * width:
        raise ArgumentError(f"weights must be of 1 + {height} * {width} tokens; got {weights.shape[-1]}")
    places = weights[..., 1:].mean(1)
    return (places / places.sum(-1, keepdim=True).clamp_min(1e-12)).unflatten(-1, (height, width))


def attention_on(maps: Tensor, masks: Tensor) -> Tensor:
    """Return how much of each map lies on a mask.

    Args:
        maps: [N, h, w], each summing to 1.
        masks: [N, H, W] in [0, 1], H and W multiples of h and w or near it.

    Returns:
        [N], in [0, 1]; that of a map which looks everywhere alike is the mask's share of the picture.
    """
    covered = functional.adaptive_avg_pool2d(masks[:, None].float(), maps.shape[-2:])[:, 0]
    return (maps * covered).sum((-2, -1))

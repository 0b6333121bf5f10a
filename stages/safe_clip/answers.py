"""What fitted methods say of pictures: one pass of the frozen trunk, then every method of every draw on its maps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gauntlet.metrics.safe_clip import attention_entropy, attention_maps, attention_on
from gauntlet.models.clip import Clip
from gauntlet.readers.few_shot import FewShotSet, sample_shots
from gauntlet.readers.labelled import Labelled
from gauntlet.training.safe_clip.pool import Safe
from gauntlet.training.safe_clip.task import Fitted, Frozen
from stages.safe_clip.features import frozen_of, pictures, plain_views
from stages.safe_clip.fitted import Index, place_of, read_fitted

ZERO_SHOT = "zero_shot"


@dataclass(frozen=True)
class Fits:
    """What was fitted on one set: by shots a list over the seeds."""

    frozen: Frozen
    by_shots: dict[int, list[dict[str, Fitted]]]

    def methods(self) -> Iterator[tuple[str, int, list[Fitted]]]:
        """Yield method, shots and its fits over the seeds; zero-shot, which no shots change, once."""
        for shots, draws in self.by_shots.items():
            for name in draws[0]:
                if name != ZERO_SHOT or shots == min(self.by_shots):
                    yield name, shots, [draw[name] for draw in draws[: 1 if name == ZERO_SHOT else None]]

    def safe(self) -> dict[int, list[Safe]]:
        """Return SAFE's fits; none where it was not fitted."""
        return {k: [draw["safe"] for draw in draws] for k, draws in self.by_shots.items() if "safe" in draws[0]}


@dataclass(frozen=True)
class Answers:
    """What the methods said of N pictures.

    Attributes:
        right: By method and shots, [seeds, N] (booleans); zero-shot's row stands for all seeds.
        curve: Of SAFE by shots, [seeds, N, alphas].
        attention: Of each picture before and after: "entropy" in nats and, with masks, "on_object"; [seeds, N, 2].
    """

    right: dict[tuple[str, int], np.ndarray]
    curve: dict[int, np.ndarray]
    attention: dict[str, np.ndarray]


def read_fits(models: Path, index: Index, *, clip: Clip, few_shot: FewShotSet, shots: Sequence[int]) -> Fits:
    """Read what was fitted on a set with these shots."""
    by_shots = {
        k: [read_fitted(place_of(models, few_shot.name, shots=k, seed=seed), index.methods) for seed in index.seeds]
        for k in shots
    }
    return Fits(frozen_of(clip, few_shot), by_shots)


@torch.no_grad()
def answers(
    clip: Clip,
    data: Labelled,
    *,
    fits: Fits,
    alphas: tuple[float, ...] = (),
    attended: Sequence[Safe] = (),
    masks: np.ndarray | None = None,
    places: np.ndarray | None = None,
    batch: int,
) -> Answers:
    """Ask every method about every picture.

    Args:
        clip: Its trunk sees each picture once.
        data: The pictures.
        fits: The methods.
        alphas: Of SAFE's curve; none for no curve.
        attended: SAFE's fits whose attention is measured.
        masks: Where the labelled thing is, [N, H, W].
        places: The only classes that are compared, one a label of the pictures; None for all.
        batch: Pictures at a time.
    """
    frozen, begin = fits.frozen, 0
    compared = slice(None) if places is None else torch.from_numpy(places)
    right: dict[tuple[str, int], list] = {(name, shots): [] for name, shots, _ in fits.methods()}
    curve: dict[int, list] = {shots: [] for shots in fits.safe() if alphas}
    attention: dict[str, list] = {}
    for x in pictures(data, batch=batch):
        maps = clip.maps(x)
        pooled = clip.pool(maps).float()
        labels = torch.from_numpy(data.labels[begin : begin + len(x)]).to(x.device)
        for name, shots, seeds in fits.methods():
            said = torch.stack([fit.logits(frozen, maps, pooled) for fit in seeds])[..., compared].argmax(-1)
            right[name, shots].append((said == labels).cpu().numpy())
        for shots in curve:
            said = [safe.curve(frozen, maps, pooled, alphas=alphas).argmax(-1) == labels for safe in fits.safe()[shots]]
            curve[shots].append(torch.stack(said).transpose(1, 2).cpu().numpy())
        covered = None if masks is None else torch.from_numpy(masks[begin : begin + len(x)]).to(x.device)
        for name, values in (_looked(frozen, maps, attended, masks=covered) if attended else {}).items():
            attention.setdefault(name, []).append(values)
        begin += len(x)
    joined = {name: np.concatenate(parts, axis=1) for name, parts in attention.items()}
    return Answers(
        {key: np.concatenate(parts, axis=1) for key, parts in right.items()},
        {shots: np.concatenate(parts, axis=1) for shots, parts in curve.items()},
        joined,
    )


def grid(pool: torch.nn.Module, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return a pooling's attention, [B, heads, tokens], and as maps, [B, h, w]; a ViT's patches form a square."""
    weights = pool.attention(maps)
    side = int((weights.shape[-1] - 1) ** 0.5)
    height, width = maps.shape[-2:] if maps.shape[-2] > 1 else (side, side)
    return weights, attention_maps(weights, shape=(height, width))


def _looked(frozen: Frozen, maps: Tensor, attended: Sequence[Safe], *, masks: Tensor | None) -> dict[str, np.ndarray]:
    """Measure the attention before and after: by quantity [seeds, B, 2]."""
    before = grid(frozen.pool, maps)
    found: dict[str, list] = {"entropy": []} | ({} if masks is None else {"on_object": []})
    for safe in attended:
        pair = (before, grid(safe.pool(frozen), maps))
        found["entropy"].append(torch.stack([attention_entropy(weights) for weights, _ in pair], -1))
        if masks is not None:
            found["on_object"].append(torch.stack([attention_on(looked, masks) for _, looked in pair], -1))
    return {name: torch.stack(values).cpu().numpy() for name, values in found.items()}


@torch.no_grad()
def validation_curve(
    clip: Clip, few_shot: FewShotSet, *, fits: Fits, index: Index, alphas: tuple[float, ...], batch: int
) -> dict[int, np.ndarray]:
    """Return what validation saw of each alpha: by shots [seeds, M, alphas], the pictures of each seed its own."""
    found: dict[int, list] = {}
    for place, seed in enumerate(index.seeds):
        for shots, seeds in fits.safe().items():
            drawn = sample_shots(few_shot, shots=shots, seed=seed, short=index.short).val
            val = plain_views(clip, few_shot.val.take(drawn), batch=batch)
            said = seeds[place].curve(fits.frozen, val.maps[0], val.pooled[0], alphas=alphas)
            found.setdefault(shots, []).append((said.argmax(-1) == val.labels).T.cpu().numpy())
    return {shots: np.stack(values) for shots, values in found.items()}

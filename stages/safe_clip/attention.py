"""Pictures of what the pooling looks at, before and after it was tuned."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gauntlet.models.clip import Clip
from gauntlet.readers.few_shot import FewShotSet
from gauntlet.training.safe_clip.pool import Safe
from gauntlet.training.safe_clip.task import Frozen
from stages.machine import machine
from stages.safe_clip.answers import grid

Row = tuple[str, Mapping[str, np.ndarray]]

SHOWN_PX = 192
TINT = np.array([255.0, 72.0, 0.0])
TITLE = "What the attention pooling looks at"
NOTE = (
    "Mean over heads of the share that each place of the picture gets, before SAFE tunes the pooling and after; the "
    "redder, the more, on one scale a picture. Pictures were drawn at random."
)


@torch.no_grad()
def attention_rows(clip: Clip, few_shot: FewShotSet, *, frozen: Frozen, safe: Safe, places: Sequence[int]) -> list[Row]:
    """Show test pictures with both maps, and what zero-shot and SAFE say of them."""
    if not len(places):
        return []
    data = few_shot.test.tensors(np.asarray(places))
    x = data.x.to(machine().device).float() / 255
    maps = clip.maps(x)
    pooled = clip.pool(maps).float()
    _, before = grid(frozen.pool, maps)
    _, after = grid(safe.pool(frozen), maps)
    said = [frozen.zero_shot(pooled).argmax(-1), safe.logits(frozen, maps, pooled).argmax(-1)]
    names = few_shot.class_names
    rows = []
    for place in range(len(x)):
        first, then = (names[int(each[place])] for each in said)
        caption = f"{few_shot.name}, {names[int(data.y[place])]}: zero-shot says {first}, SAFE {then}"
        shown = data.x[place].permute(1, 2, 0).numpy()
        most = float(torch.maximum(before[place].max(), after[place].max()))
        seen = {"before": tinted(shown, before[place] / most), "after": tinted(shown, after[place] / most)}
        rows.append((caption, {"original": _scaled(shown), **seen}))
    return rows


def tinted(picture: np.ndarray, share: Tensor) -> np.ndarray:
    """Lay the tint over a grey picture, where attention lies.

    Args:
        picture: uint8, H x W x 3.
        share: h x w in [0, 1].

    Returns:
        uint8, SHOWN_PX x SHOWN_PX x 3: at 0 the grey picture, at 1 three quarters tint.
    """
    weight = Image.fromarray(share.cpu().float().numpy(), "F").resize((SHOWN_PX, SHOWN_PX), Image.Resampling.BILINEAR)
    cover = 0.75 * np.asarray(weight).clip(0, 1)[..., None]
    grey = 0.7 * _scaled(picture).mean(axis=2, keepdims=True)
    return ((1 - cover) * grey + cover * TINT).round().astype(np.uint8)


def _scaled(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((SHOWN_PX, SHOWN_PX), Image.Resampling.BICUBIC))

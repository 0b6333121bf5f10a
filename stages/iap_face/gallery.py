"""Galleries of protected faces: original, protected, manipulated, manipulated after protection, and what is read."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gauntlet.messages import Code
from gauntlet.models.iap_face import Protector
from gauntlet.models.manipulators import Manipulator
from stages.files import write_gallery
from stages.iap_face.views import edits

SCALE = 3
"""Times that a picture's side is enlarged, pixel by pixel."""
SHOWN_PX = 192
"""Pictures of this side or more stay as they are."""


def write_samples(
    folder: Path, *, manipulator: Manipulator, x: Tensor, x_p: Tensor, ids: list[int], model: Protector, code: Code
) -> None:
    """Write `folder`/gallery.json and its pictures: a face a row, the edits in turn, those that change most first.

    Args:
        folder: Made if missing.
        manipulator: Edits the faces.
        x: B x 3 x H x W in [0, 1].
        x_p: The same, protected.
        ids: That x_p carries.
        model: Reads them.
        code: Of the ids.
    """
    with torch.no_grad():
        clean, made = edits(manipulator, x), edits(manipulator, x_p)
        rows = []
        for place, attribute in enumerate(_chosen(x, clean)):
            pictures = {
                "original": x[place],
                "protected": x_p[place],
                "manipulated": clean[place, attribute],
                "manipulated-protected": made[place, attribute],
            }
            said = [
                f"{label}: {_said(model.decode(pictures[label][None])[0], ids[place], code=code)}"
                for label in ("protected", "manipulated-protected", "original")
            ]
            edit = manipulator.attributes[attribute].replace("_", " ")
            caption = f"{edit}; id {ids[place]:x} sent; read from {'; '.join(said)}"
            rows.append((caption, {label: _shown(picture) for label, picture in pictures.items()}))
    write_gallery(
        folder,
        title=f"Protected faces, manipulated by {manipulator.name}",
        note=(
            "A face a row. The manipulator should fail on the protected face, and its id should be read from both the "
            "protected face and what the manipulator made of it; on the original there is nothing to read."
        ),
        rows=rows,
    )


def _chosen(x: Tensor, clean: Tensor) -> list[int]:
    """Return an edit for each face: among those that change it by half of the most, they take turns."""
    change = (clean - x[:, None]).abs().flatten(2).mean(2)
    chosen = []
    for place, each in enumerate(change):
        strong = [edit for edit, amount in enumerate(each.tolist()) if amount >= 0.5 * each.max().item()]
        chosen.append(strong[place % len(strong)])
    return chosen


def _said(logits: Tensor, id: int, *, code: Code) -> str:
    found, held = code.decode(logits), code.check(logits, id)
    read = f"id {found.id:x}" if found.found else "nothing"
    return f"{read} ({held.matches} of {code.bits} bits)"


def _shown(picture: Tensor) -> np.ndarray:
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    times = SCALE if max(pixels.shape[:2]) < SHOWN_PX else 1
    return pixels.repeat(times, 0).repeat(times, 1)

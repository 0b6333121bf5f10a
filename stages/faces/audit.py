"""Audit a folder of pictures: protect copies, let manipulators edit both, and say what the protection is worth."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.disruption import disruption, joined, protection
from gauntlet.metrics.iap_face import bit_accuracy, share_interval
from gauntlet.metrics.image_quality import psnr_db
from gauntlet.metrics.intervals import mean_interval
from gauntlet.models.iap_face import quantise
from gauntlet.models.manipulators import Manipulator
from gauntlet.shifts.distortions import distort_truly
from stages.faces.marking import Marker, NoFaceError, places, refuse_protected
from stages.faces.pictures import each, listed
from stages.faces.protect import BOUND_DB, How
from stages.files import write_gallery, write_json
from stages.progress import track

SHOWN = 8
JPEG = 75
RESAMPLES = 1000


@dataclass(frozen=True)
class Pairs:
    """What was audited: the largest region of each picture, at the manipulators' size.

    Attributes:
        names: Of the pictures.
        x: N x 3 x S x S in [0, 1], clean.
        x_protected: Protected at full size, then scaled.
        refused: Why others were not.
    """

    names: list[str]
    x: Tensor
    x_protected: Tensor
    refused: list[dict]


def pairs(folder: Path, *, marker: Marker, id: int, how: How, size_px: int) -> Pairs:
    """Protect each picture in memory and cut its largest region out of both.

    Raises:
        ArgumentError: There is no picture that can be audited.
    """
    names, clean, protected, refused = [], [], [], []
    paths = listed(folder)
    for path, picture in track(each(paths, max_pixels=how.max_pixels), what="pictures", total=len(paths)):
        name = path.relative_to(folder).as_posix()
        try:
            if isinstance(picture, DataError):
                raise picture
            boxes = places(picture, whole_picture=how.whole)
            if not how.again:
                refuse_protected(picture, marker, whole_picture=how.whole)
        except (DataError, NoFaceError) as error:
            refused.append({"file": name, "why": str(error)})
            print(f"faces audit: left out: {error}", file=sys.stderr, flush=True)
            continue
        marked = marker.protect(picture.rgb, boxes[:1], id=id)
        names.append(name)
        clean.append(_scaled(picture.rgb[boxes[0].slices], size_px))
        protected.append(_scaled(marked[boxes[0].slices], size_px))
    if not names:
        raise ArgumentError(f"an audit must have a picture that can be protected; {folder} holds none; --whole?")
    return Pairs(names, torch.cat(clean), torch.cat(protected), refused)


def _scaled(rgb: np.ndarray, size_px: int) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].float() / 255
    if tuple(x.shape[-2:]) != (size_px, size_px):
        x = functional.interpolate(x, size=(size_px, size_px), mode="bilinear", antialias=True)
    return quantise(x)


@torch.inference_mode()
def audit_pairs(found: Pairs, *, marker: Marker, id: int, manipulators: Mapping[str, Manipulator]) -> dict:
    """Measure a protection.

    Returns:
        "pictures", "psnr_db" and "bit_accuracy" by view (protected, jpeg_75, unprotected and each manipulator), and
        "protection" by manipulator: rate with its interval, edits that change nothing, and the rate by attribute.
    """
    message = marker.code.encode(id).expand(len(found.x), -1)

    def said(x: Tensor) -> dict:
        return shares(bit_accuracy(marker.protector.decode(quantise(x)), message))

    def shares(values: Tensor) -> dict:
        generator = np.random.default_rng(0)
        return asdict(share_interval(values.numpy(), resamples=RESAMPLES, generator=generator))

    jpeg = distort_truly(found.x_protected, "jpeg", JPEG, generator=torch.Generator().manual_seed(0))
    bits = {"unprotected": said(found.x), "protected": said(found.x_protected), f"jpeg_{JPEG}": said(jpeg)}
    rates = {}
    for name, manipulator in manipulators.items():
        rows, edited = {}, []
        for place, attribute in enumerate(manipulator.attributes):
            plain, marked = (manipulator.edit(x, place) for x in (found.x, found.x_protected))
            rows[attribute] = disruption(found.x, plain, marked)
            edited.append(marked)
        whole = protection(joined(list(rows.values())))
        rates[name] = {
            "rate": asdict(whole.rate),
            "no_change": whole.no_change,
            "attributes": {attribute: asdict(protection(row).rate) for attribute, row in rows.items()},
        }
        read = [bit_accuracy(marker.protector.decode(quantise(x)), message) for x in edited]
        bits[name] = shares(torch.stack(read).mean(0))
    db = psnr_db(found.x, found.x_protected).clamp(max=BOUND_DB)[:, None].numpy()
    (psnr,) = mean_interval(db, resamples=RESAMPLES, generator=np.random.default_rng(0))
    return {"pictures": len(found.x), "psnr_db": asdict(psnr), "bit_accuracy": bits, "protection": rates}


def table(result: dict) -> str:
    """Write the result as a table in Markdown."""
    lines = [
        f"{result['pictures']} pictures, PSNR {_text(result['psnr_db'], scale=1, digits=1)} dB",
        "",
        "| manipulator | edits disrupted, % | edits that change nothing | bits right after the edit, % |",
        "|---|---|---|---|",
    ]
    for name, rate in result["protection"].items():
        shown = (_text(rate["rate"]), str(rate["no_change"]), _text(result["bit_accuracy"][name]))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    lines += ["", "| view | bits right, % |", "|---|---|"]
    views = (view for view in result["bit_accuracy"] if view not in result["protection"])
    lines += [f"| {view} | {_text(result['bit_accuracy'][view])} |" for view in views]
    return "\n".join(lines) + "\n"


def _text(interval: dict, *, scale: float = 100, digits: int = 1) -> str:
    value, low, high = (f"{scale * interval[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def audit_folder(
    folder: Path, out: Path, *, marker: Marker, id: int, how: How, manipulators: Mapping[str, Manipulator], size_px: int
) -> dict:
    """Audit the pictures below a folder; write audit.json, audit.md and a gallery into `out`.

    Args:
        folder: Of the pictures; they stay as they are.
        out: An empty or new folder.
        marker: Protector and code.
        id: What the copies carry.
        how: How pictures are treated.
        manipulators: By name.
        size_px: Side at which they work.

    Raises:
        ArgumentError: There is no picture that can be protected.
    """
    found = pairs(folder, marker=marker, id=id, how=how, size_px=size_px)
    result = audit_pairs(found, marker=marker, id=id, manipulators=manipulators)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "audit.json", result | {"id": id, "left_out": found.refused, "files": found.names})
    (out / "audit.md").write_text(table(result))
    write_gallery(
        out / "samples",
        title="Audit of a protection",
        note="Original, protected, and the first edit of each by each manipulator.",
        rows=_rows(found, manipulators),
    )
    return result


@torch.inference_mode()
def _rows(found: Pairs, manipulators: Mapping[str, Manipulator]) -> Sequence[tuple[str, dict[str, np.ndarray]]]:
    shown = {"original": found.x[:SHOWN], "protected": found.x_protected[:SHOWN]}
    for name, manipulator in manipulators.items():
        what = f"{name} {manipulator.attributes[0]}"
        shown |= {what: manipulator.edit(found.x[:SHOWN], 0)}
        shown |= {f"{what} protected": manipulator.edit(found.x_protected[:SHOWN], 0)}
    pictures = {label: (x * 255).round().byte().permute(0, 2, 3, 1).numpy() for label, x in shown.items()}
    return [
        (name, {label: stack[place] for label, stack in pictures.items()})
        for place, name in enumerate(found.names[:SHOWN])
    ]

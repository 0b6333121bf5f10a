"""A batch of faces through everything that may happen to it: distorted, manipulated, both in either order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from gauntlet.metrics.disruption import Disruption, disruption
from gauntlet.metrics.image_quality import Features, perceptual, psnr_db, ssim
from gauntlet.models.iap_face import Protector
from gauntlet.models.manipulators import Manipulator
from gauntlet.shifts.distortions import SWEEP, distort_truly
from stages.iap_face.baselines import READ_BY, Protectors

QUALITY = ("psnr_db", "ssim", "perceptual")
PSNR_CAP_DB = 100.0
"""Of a picture that was not changed at all."""
NONE = ""
"""The distortion that does nothing."""

Warp = Callable[[Tensor, str], Tensor]
"""From pictures and a distortion's name to distorted ones."""


@dataclass
class Measured:
    """What a batch shows; every tensor begins with its B pictures.

    Attributes:
        logits: By view and method, B x edits x L; one edit where nothing manipulates.
        unprotected: By decoder, the logits of the pictures as they were, B x L.
        disrupted: By manipulator, distortion and method, the rows of `Disruption`, each B x edits.
        quality: By method and measure, B.
    """

    logits: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    unprotected: dict[str, Tensor] = field(default_factory=dict)
    disrupted: dict[tuple[str, str, str], Disruption] = field(default_factory=dict)
    quality: dict[str, dict[str, Tensor]] = field(default_factory=dict)


def measure(
    x: Tensor,
    protected: Mapping[str, Tensor],
    *,
    protectors: Protectors,
    manipulators: Mapping[str, Manipulator],
    features: Features,
    distortions: Sequence[str],
    both: Sequence[str],
    seed: int,
) -> Measured:
    """Look at the protected pictures of a batch from every side.

    Args:
        x: The faces, B x 3 x H x W in [0, 1].
        protected: The same by method.
        protectors: Read the messages.
        manipulators: Edit; all of each one's edits are made.
        features: Of the perceptual distance.
        distortions: Names in `SWEEP` under which messages are read.
        both: Those that are joined with every manipulator, before it and after it.
        seed: Of the distortions: the same for every method, and for x.
    """
    found = Measured()
    warp = partial(_distorted, seed=seed)
    with torch.no_grad():
        found.unprotected = {name: protectors.decoder(name).decode(x) for name in sorted(set(READ_BY.values()))}
        for method, x_p in protected.items():
            measures = (psnr_db(x, x_p).clamp(max=PSNR_CAP_DB), ssim(x, x_p), perceptual(features, x, x_p))
            found.quality[method] = dict(zip(QUALITY, measures, strict=True))
        for method in READ_BY:
            read = protectors.decoder(method).decode
            for view, pictures in _still(protected[method], distortions=distortions, warp=warp):
                found.logits.setdefault(view, {})[method] = read(pictures)[:, None]
        for manipulator in manipulators.values():
            _manipulate(found, x, protected, manipulator=manipulator, both=both, warp=warp, models=protectors)
    return found


def _distorted(x: Tensor, name: str, *, seed: int) -> Tensor:
    if name == NONE:
        return x
    return distort_truly(x, *SWEEP[name], generator=torch.Generator().manual_seed(seed))


def _still(x_p: Tensor, *, distortions: Sequence[str], warp: Warp) -> Iterator[tuple[str, Tensor]]:
    yield "protected", x_p
    for name in distortions:
        yield f"distorted:{name}", warp(x_p, name)


def edits(manipulator: Manipulator, x: Tensor) -> Tensor:
    """Return every edit of every face, on levels of uint8: B x edits x 3 x H x W."""
    made = [manipulator.edit(x, attribute) for attribute in range(len(manipulator.attributes))]
    return (torch.stack(made, 1).clamp(0, 1) * 255).round() / 255


def _manipulate(
    found: Measured,
    x: Tensor,
    protected: Mapping[str, Tensor],
    *,
    manipulator: Manipulator,
    both: Sequence[str],
    warp: Warp,
    models: Protectors,
) -> None:
    """Edit x and the protected pictures, distorted first; what the edits differ in, and the messages that are left."""
    name = manipulator.name
    for distortion in (NONE, *both):
        start = warp(x, distortion)
        clean = edits(manipulator, start)
        starts = start[:, None].expand_as(clean)
        for method, x_p in protected.items():
            made = edits(manipulator, warp(x_p, distortion))
            rows = disruption(*(each.flatten(0, 1) for each in (starts, clean, made)))
            found.disrupted[name, distortion, method] = Disruption(*(row.unflatten(0, made.shape[:2]) for row in rows))
            if method in READ_BY:
                read = partial(_read_edits, models.decoder(method))
                view = f"both:{distortion}+{name}" if distortion else f"manipulated:{name}"
                found.logits.setdefault(view, {})[method] = read(made)
                for later in both if distortion == NONE else ():
                    found.logits.setdefault(f"both:{name}+{later}", {})[method] = read(made, partial(warp, name=later))


def _read_edits(model: Protector, made: Tensor, warp: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Return the logits of every edit, B x edits x L."""
    pictures = made.flatten(0, 1)
    return model.decode(warp(pictures) if warp else pictures).unflatten(0, made.shape[:2])


def joined(parts: Sequence[Measured]) -> Measured:
    """Put batches behind each other, in memory."""
    first = parts[0]
    return Measured(
        logits={
            view: {method: torch.cat([part.logits[view][method] for part in parts]).cpu() for method in methods}
            for view, methods in first.logits.items()
        },
        unprotected={name: torch.cat([part.unprotected[name] for part in parts]).cpu() for name in first.unprotected},
        disrupted={
            key: Disruption(
                *(torch.cat(rows).cpu() for rows in zip(*(part.disrupted[key] for part in parts), strict=True))
            )
            for key in first.disrupted
        },
        quality={
            method: {name: torch.cat([part.quality[method][name] for part in parts]).cpu() for name in QUALITY}
            for method in first.quality
        },
    )

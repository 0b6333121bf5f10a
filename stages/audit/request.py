"""What an audit was asked for, checked before anything is computed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gauntlet.errors import ArgumentError
from gauntlet.suites import SUITES
from stages.contract import nearest

EDITS, DETECTION = "imagenet_e", "coco_o"
ALL_SUITES = (*SUITES, EDITS, DETECTION)
TRACKED = ("raw", "built", "models", "attacked", "scores", "report", "cards")
"""Folders below data/ that stages write."""


@dataclass(frozen=True)
class Request:
    """One audit.

    Attributes:
        model: As `gauntlet.readers.named_models.open_model` takes it.
        checkpoint: A file of weights, or None for the model's own.
        settings: Keyword arguments of its builder.
        data: A data set built here, a folder, or None for the one that fits.
        images: Pictures of that data set, drawn at random with every class in its share.
        seed: Of that draw and of everything random in the suites.
        eps: Linf radius of the attacks of one budget; None for the one trained against, else the data's.
        suites: Names in `ALL_SUITES`.
    """

    model: str
    checkpoint: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    data: str | None = None
    images: int = 150
    seed: int = 0
    eps: float | None = None
    suites: tuple[str, ...] = ALL_SUITES

    def __post_init__(self) -> None:
        if wrong := [name for name in self.suites if name not in ALL_SUITES]:
            hint = nearest(wrong[0], ALL_SUITES)
            raise ArgumentError(f"suites must be among {', '.join(ALL_SUITES)}; got {wrong[0]!r}{hint}")
        if self.images < 1 or self.seed < 0:
            raise ArgumentError(f"images must be at least 1 and seed at least 0; got {self.images} and {self.seed}")
        if self.eps is not None and not 0 < self.eps <= 1:
            raise ArgumentError(f"eps must lie in (0, 1] (8/255, not 8); got {self.eps:g}")

    @property
    def name(self) -> str:
        """What the card calls the model, fit for a file: the last two words of a path, the checkpoint's name."""
        place = Path(self.model)
        words = [*(place.parts[-2:] if place.exists() else [self.model])]
        words += [self.checkpoint.stem] if self.checkpoint else []
        return re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(words)).strip("-.") or "model"


def check_out(out: Path) -> None:
    """Refuse a place that an audit must not replace.

    Raises:
        ArgumentError: It lies where the stages write, or holds anything but an earlier audit.
    """
    place, data = out.resolve(), Path("data").resolve()
    if place == data or any(place.is_relative_to(data / name) or data == place for name in TRACKED):
        raise ArgumentError(f"--out must lie outside what the stages write, such as data/audits/NAME; got {out}")
    if place == Path.cwd() or place in Path.cwd().parents:
        raise ArgumentError(f"--out must be a folder of its own; got {out}")
    if out.exists() and not (out / "card.json").is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise ArgumentError(f"--out must be new, empty or an earlier audit; {out} is none of these; another folder?")

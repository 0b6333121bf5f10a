"""COCO-O as built here, on a detector: the stage that scores ours is called as it is."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file

from gauntlet.errors import DataError
from gauntlet.metrics.coco_o import SLOPE
from stages.audit.request import Request
from stages.audit.subject import SCENES, SHIFTED, Subject
from stages.coco_o import score
from stages.files import write_json

DOMAINS = ("sketch", "weather", "cartoon", "painting", "tattoo", "handmake")
OWN = ("weights", "pretrained", "preprocessing")
"""Settings that ask a package for weights, which lie in the folder then."""


@dataclass(frozen=True)
class Detected:
    """What the shifts cost: the score file's content, and the folder of its gallery."""

    score: dict
    gallery: Path


def detection(request: Request, subject: Subject, *, scratch: Path) -> Detected:
    """Score a detector on the source domain and on the six shifted ones, all their images.

    Raises:
        DataError: The data are not built, or the detector knows none of their classes.
    """
    for place in (SCENES, SHIFTED):
        if not place.exists():
            raise DataError(f"{place} must exist for a detector; `dvc repro` or `dvc pull` brings it")
    scratch.mkdir(parents=True, exist_ok=True)
    write_json(scratch / "folders.json", {})
    params = score.Params(
        seed=request.seed,
        resamples=500,
        batch=8,
        slope=SLOPE,
        domains=DOMAINS,
        source_split="test2017",
        outside="error",
        unknown="missed",
        benchmark=None,
        source=None,
        detections=None,
        gallery=2,
        gallery_score=0.3,
    )
    score.run(
        params,
        detector=subject.name,
        scenes=SCENES,
        shifted=SHIFTED,
        model=subject.folder or _written(subject, scratch / "model"),
        folders=scratch / "folders.json",
        score=scratch / "coco_o.json",
        gallery=scratch / "gallery",
    )
    return Detected(json.loads((scratch / "coco_o.json").read_text()), scratch / "gallery")


def _written(subject: Subject, folder: Path) -> Path:
    """Write a model that came by name as a model folder, which the stage reads."""
    folder.mkdir()
    settings = {name: value for name, value in subject.card.settings.items() if name not in OWN}
    write_json(
        folder / "model.json",
        {"architecture": subject.card.architecture, "classes": subject.card.classes, "settings": settings},
    )
    weights = {name: value.cpu().contiguous().clone() for name, value in subject.model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    return folder

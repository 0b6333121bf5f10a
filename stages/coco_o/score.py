"""Score a detector on the source domain and on each shifted domain: AP, drop and Effective Robustness.

The detector has learned from the source domain alone. `benchmark` and `source` name folders of the user's with the
real COCO-O and COCO val2017 in place of the data built here; `detections` names a folder with one COCO results JSON a
domain (`<domain>.json`, and `source.json`), made by any framework: then no model is run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from gauntlet.boxes import Results, Truth, as_results
from gauntlet.drawing import draw_boxes
from gauntlet.errors import DataError
from gauntlet.metrics.coco_o import Measured, Robustness, robustness
from gauntlet.metrics.detection import SUMMARIES, Evaluation
from gauntlet.metrics.intervals import Interval
from gauntlet.models.predict import detect
from gauntlet.readers.coco import CocoSet, ImageRecord, read_coco, read_coco_o, read_results
from gauntlet.readers.folders import named_folder
from gauntlet.readers.models import load_model
from stages import Out, Ratio
from stages import Params as StageParams
from stages.files import write_gallery
from stages.machine import machine
from stages.progress import track
from stages.scores import write_score

INTERVAL = "95 % bootstrap over images, paired over domains of the same pictures"


class Params(StageParams):
    """What is scored, and how.

    Attributes:
        seed: Of the bootstrap.
        resamples: Bootstrap resamples of the images of each domain.
        batch: Images at a time.
        slope: AP under shift that an ordinary detector has per source AP; the paper's 0.45 holds for the real COCO-O.
        domains: The shifted domains, in the order of the report.
        source_split: The source domain's split, such as test2017.
        outside: A box that leaves its image is an "error", or "clip" cuts and counts it, for folders made elsewhere.
        unknown: Objects of a category that the model does not know count as "missed", or are "excluded".
        benchmark: Name in folders.json of the real COCO-O; null for the one built here.
        source: Name in folders.json of a COCO-format source domain; null for the scenes built here.
        detections: Name in folders.json of a folder of COCO results; null to run the model.
        gallery: Images shown of each domain.
        gallery_score: Boxes below this score are not drawn.
    """

    seed: int
    resamples: int = Field(ge=1)
    batch: int = Field(ge=1)
    slope: float
    domains: tuple[str, ...] = Field(min_length=1)
    source_split: str
    outside: Literal["error", "clip"]
    unknown: Literal["missed", "excluded"]
    benchmark: str | None
    source: str | None
    detections: str | None
    gallery: int = Field(ge=0)
    gallery_score: Ratio


def run(
    params: Params,
    *,
    detector: str,
    scenes: Path,
    shifted: Path,
    model: Path,
    folders: Path,
    score: Out,
    gallery: Out,
) -> None:
    """Write the detector's score, and pictures of what it finds."""
    sets = _sets(params, scenes, shifted, folders=folders)
    results, classes = _results(params, sets, folders=folders, model=model)
    unknown = _unknown(sets["source"].truth, classes)
    measured = _measure_all(params, sets, results, left_out=unknown if params.unknown == "excluded" else [])
    source = measured.pop("source")
    table = robustness(source, measured, slope=params.slope)
    write_gallery(
        gallery,
        title=f"What {detector} finds",
        note=f"Each domain's truth beside the boxes found with a score of at least {params.gallery_score:g}.",
        rows=list(_rows(sets, results, count=params.gallery, threshold=params.gallery_score)),
    )
    write_score(
        score,
        method="coco_o",
        subject=detector,
        results={
            **_table(source, measured, table),
            "mended": {name: data.mended for name, data in sets.items()},
            "categories": _vocabulary(sets, classes, unknown, treated=params.unknown),
        },
        headline={
            "name": "ap",
            **asdict(table.mean["ap"]),
            "interval": INTERVAL,
        },
        n=table.mean["ap"].n,
        seeds=[params.seed],
        scorer=f"pycocotools {version('pycocotools')}",
        params=params,
        inputs={
            path.as_posix(): path
            for path, replaced in (
                (scenes, params.source),
                (shifted, params.benchmark),
                (model, params.detections),
                (folders, None),
            )
            if not replaced
        },
    )


def _sets(params: Params, scenes: Path, shifted: Path, *, folders: Path) -> dict[str, CocoSet]:
    """Read the source domain and the shifted ones, all checked before anything is computed."""
    source = named_folder(folders, params.source) if params.source else scenes
    benchmark = named_folder(folders, params.benchmark) if params.benchmark else shifted
    sets = {
        "source": read_coco(source, split=params.source_split, outside=params.outside),
        **read_coco_o(benchmark, domains=params.domains, outside=params.outside),
    }
    _one_vocabulary(sets)
    return sets


def _one_vocabulary(sets: Mapping[str, CocoSet]) -> None:
    """Hold all domains to the source's categories: their means are compared."""
    expected = set(sets["source"].truth.categories.values())
    for data in sets.values():
        names = set(data.truth.categories.values())
        if names != expected:
            odd = ", ".join(sorted(names ^ expected)[:8])
            raise DataError(
                f"{data.path}: must have the categories of {sets['source'].path}; not in both: {odd} "
                "(benchmark without its own source, or the other way round?)"
            )


def _results(
    params: Params, sets: Mapping[str, CocoSet], *, folders: Path, model: Path
) -> tuple[dict[str, Results], list[str] | None]:
    """Return each domain's detections, and the model's classes; None where its detections came in a file."""
    if params.detections:
        folder = named_folder(folders, params.detections)
        return {name: read_results(folder / f"{name}.json", data.truth) for name, data in sets.items()}, None
    network, card = load_model(model)
    network = network.to(machine().device)
    found = {}
    for name, data in sets.items():
        images = (image.open() for image in track(data.images, what=f"images of {name}"))
        ids = {category: i for i, category in data.truth.categories.items()}
        found[name] = as_results(
            detect(network, images, device=machine().device, batch=params.batch),
            image_ids=[image.id for image in data.images],
            category_ids=[ids.get(category) for category in card.classes],
        )
    return found, list(card.classes)


def _unknown(truth: Truth, classes: list[str] | None) -> list[str]:
    """List the categories that the model does not know; none where nobody says what it knows."""
    names = list(truth.categories.values())
    unknown = [name for name in names if classes is not None and name not in classes]
    if classes is not None and len(unknown) == len(names):
        raise DataError(
            f"the model must know a category of the data ({', '.join(names[:5])}, ...); its classes are "
            f"{', '.join(classes[:5])}, ... (another data set's model, or other spellings?)"
        )
    return unknown


def _measure_all(
    params: Params, sets: Mapping[str, CocoSet], results: Mapping[str, Results], *, left_out: list[str]
) -> dict[str, Measured]:
    """Score and resample each domain: paired where it shows the source's pictures, else with draws of its own."""
    measured, streams = {}, {}
    for number, (name, data) in enumerate(track(sets.items(), what="domains scored", total=len(sets))):
        pictures = tuple((record.id, record.path.name) for record in data.images)
        stream = streams.setdefault(pictures, number)
        truth = data.truth.without(left_out)
        if truth.crowd.all():
            raise DataError(f"{data.path}: must hold at least one object that the model is to find; it holds none")
        evaluation = Evaluation(truth, results[name])
        draws = evaluation.resample(params.resamples, generator=np.random.default_rng([params.seed, stream]))
        measured[name] = Measured(evaluation.score(), draws)
    return measured


def _vocabulary(
    sets: Mapping[str, CocoSet], classes: list[str] | None, unknown: list[str], *, treated: str
) -> dict[str, object]:
    """Say which categories the model and the data do not share, and what became of them."""
    boxes = {domain: {name: data.truth.count(name) for name in unknown} for domain, data in sets.items()}
    foreign = sorted(set(classes or ()) - set(sets["source"].truth.categories.values()))
    return {"unknown_to_model": boxes, "unknown_treated_as": treated, "classes_not_in_data": foreign}


def _table(source: Measured, domains: Mapping[str, Measured], table: Robustness) -> dict[str, object]:
    parts = {}
    for name, domain in domains.items():
        drops = {"drop": table.drop[name], "relative_drop": table.relative_drop[name]}
        parts[name] = {**_rates(domain), **{key: _plain(interval) for key, interval in drops.items()}}
    mean = {**table.mean, "drop": table.drop["mean"], "relative_drop": table.relative_drop["mean"]}
    return {
        "source": _rates(source),
        "domains": parts,
        "mean": {key: _plain(interval) for key, interval in mean.items()},
        "effective_robustness": _plain(table.effective_robustness),
        "worst_domain": table.worst_domain,
    }


def _rates(domain: Measured) -> dict[str, object]:
    rates = {name: _plain(domain.interval(name)) for name in SUMMARIES}
    return {**rates, "by_category": domain.score.by_category, "images": domain.score.images, "n": domain.score.boxes}


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else asdict(interval)


def _rows(
    sets: Mapping[str, CocoSet], results: Mapping[str, Results], *, count: int, threshold: float
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield gallery rows: the source image where the shifted one has its name, the truth, what was found."""
    originals = {image.path.name: image for image in sets["source"].images}
    for name, data in sets.items():
        if name == "source":
            continue
        for index in np.unique(np.linspace(0, len(data) - 1, count).astype(int)):
            image, names = data.images[index], data.truth.categories
            pictures = {}
            if image.path.name in originals:
                original = originals[image.path.name]
                clean = sets["source"].truth.categories
                pictures["source, found"] = _draw(original, results["source"], clean, threshold=threshold)
            pictures[f"{name}, truth"] = _draw(image, data.truth, names, threshold=0)
            pictures[f"{name}, found"] = _draw(image, results[name], names, threshold=threshold)
            yield f"{name}: {image.path.name}", pictures


def _draw(image: ImageRecord, boxes: Truth | Results, categories: Mapping[int, str], *, threshold: float) -> np.ndarray:
    here, scores = boxes.image_id == image.id, np.zeros(0)
    if isinstance(boxes, Results):
        here &= boxes.scores >= threshold
        scores = boxes.scores[here]
    corners = boxes.boxes_xywh[here].copy()
    corners[:, 2:] += corners[:, :2]
    return draw_boxes(image.open(), corners, [categories[i] for i in boxes.category_id[here].tolist()], scores=scores)

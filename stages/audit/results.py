"""What an audit found, as numbers with intervals and in the shape of the score files that the report reads."""

import hashlib
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from gauntlet.metrics.ares_bench import area
from gauntlet.metrics.imagenet_e import SETTINGS
from gauntlet.metrics.intervals import mean_interval, wilson
from gauntlet.readers.imagenet_e import ORIGINAL
from gauntlet.suites import Outcomes, summary
from stages.audit.battery import Findings, plan_of, rates
from stages.audit.edits import ADVERSARIAL, EDITED, RESAMPLES, Edited
from stages.audit.pictures import BUILT
from stages.audit.request import Request
from stages.audit.subject import Subject
from stages.files import dvc_md5
from stages.machine import machine
from stages.scores import versions
from stages.summary.figures import words
from stages.summary.readings import Score

THIS = "this model"
"""What tables and charts call the audited model."""
PACKAGES = ("gauntlet", "torch", "torchvision", "timm", "numpy", "pycocotools")
"""What computes."""


def classifier_results(request: Request, subject: Subject, outcomes: Outcomes) -> dict:
    """Return curves, rates and intervals of a classifier: what a score of ARES-Bench holds, and every rate's interval.

    "rates" has each test by its key, such as "corruption/fog/3"; "corruption_mean" is over all of them.
    """
    plan = plan_of(request, subject)
    generator = np.random.default_rng(request.seed)
    found = summary(outcomes, plan=plan) | {"data": subject.shown.name, "trained": subject.trained}
    found["classes"] = len(subject.card.classes)
    found["eps"], found["largest"] = plan.eps, plan.budgets["linf"][-1]
    found["rates"] = {key: asdict(wilson(int(right.sum()), len(right))) for key, right in rates(outcomes).items()}
    shifted = [right for key, right in outcomes.values.items() if key.startswith("corruption/")]
    found["corruption_mean"] = _mean(np.mean(shifted, axis=0), generator) if shifted else None
    radii = outcomes.values.get("radius/linf")
    found["area_linf"] = None
    if radii is not None:
        found["area_linf"] = asdict(area(radii, largest=found["largest"], resamples=RESAMPLES, generator=generator))
    return found


def _mean(values: np.ndarray, generator: np.random.Generator) -> dict:
    return asdict(mean_interval(values[:, None], resamples=RESAMPLES, generator=generator)[0])


def edit_results(edited: Edited) -> dict:
    """Return the drops in the shape of a score of ImageNet-E."""
    table = edited.table
    settings = {}
    for name, drop in table.settings.items():
        lost = np.flatnonzero(edited.right[ORIGINAL] & ~edited.right[name])
        settings[name] = {"name": SETTINGS[name], **asdict(drop), "examples_lost": [edited.keys[i] for i in lost[:12]]}
    return {
        "original": {"top1": asdict(table.top1), "correct": table.correct},
        "settings": settings,
        "mean_drop": table.mean_drop and asdict(table.mean_drop),
    }


def scores(request: Request, subject: Subject, findings: Findings, *, results: dict | None) -> list[Score]:
    """Return the findings as scores, which the report's charts and tables take."""
    found = []
    if results and results["area_linf"]:
        inputs = {"weights": subject.weights_sha256}
        headline = {"name": "area_linf", **results["area_linf"], "interval": "95 % bootstrap over images"}
        found.append(_score(request, subject, "ares_bench", results=results, headline=headline, inputs=inputs))
    if findings.edited:
        table = findings.edited.table
        inputs = {"edited": dvc_md5(EDITED), "adversarial": dvc_md5(ADVERSARIAL) if ADVERSARIAL.exists() else ""}
        headline = {"name": "mean_drop" if table.mean_drop else "top1", **asdict(table.mean_drop or table.top1)}
        results = edit_results(findings.edited)
        found.append(_score(request, subject, "imagenet_e", results=results, headline=headline, inputs=inputs))
    if findings.detected:
        found.append(Score.model_validate(findings.detected.score | {"subject": THIS}))
    return found


def _score(request: Request, subject: Subject, method: str, *, results: dict, headline: dict, inputs: dict) -> Score:
    return Score(
        method=method,
        subject=THIS,
        stage="stages.audit",
        scorer=f"gauntlet {version('gauntlet')}",
        device=machine().device,
        threads=machine().threads,
        seeds=[request.seed],
        n=headline["n"],
        headline=headline,
        results=results,
        params={},
        inputs=inputs,
        versions=versions(PACKAGES),
    )


def flags(results: dict | None) -> list[str]:
    """Say in sentences why a number of the card is not to be taken at face value."""
    if not results:
        return []
    places: dict[str, list[str]] = {}
    checked = {"the model itself": results["self_checks"]}
    checked |= {f"behind {words(name)}": defence["problems"] for name, defence in results["defences"].items()}
    for place, problems in checked.items():
        for problem in problems:
            places.setdefault(problem, []).append(place)
    said = [f"{problem.rstrip('.')} ({', '.join(where)})." for problem, where in places.items()]
    if results["clean"]["low"] <= 1 / results["classes"]:
        said.append(
            f"Clean top-1 is not above guessing among {results['classes']} classes: do the class names and the "
            "normalisation fit the model?"
        )
    return said


def weakest(results: dict | None, findings: Findings) -> dict:
    """Name the weakest spot of each kind."""
    found = {}
    if results and results["corruptions"]:
        worst = min(
            (rate, name, level) for name, row in results["corruptions"].items() for level, rate in enumerate(row, 1)
        )
        found["corruption"] = {"name": worst[1], "severity": worst[2], "top1": worst[0]}
    if results and results["attacks"]:
        attack = min(results["attacks"], key=lambda name: results["attacks"][name]["value"])
        found["attack"] = {"name": attack, "eps": results["eps"], **results["attacks"][attack]}
    if findings.edited:
        drops = {name: asdict(drop.drop) for name, drop in findings.edited.table.settings.items()}
        edit = max(drops, key=lambda name: drops[name]["value"])
        found["edit"] = {"name": edit, **drops[edit]}
    if findings.detected:
        table = findings.detected.score["results"]
        found["domain"] = {"name": table["worst_domain"], **table["domains"][table["worst_domain"]]["ap"]}
    return found


def about_model(request: Request, subject: Subject) -> dict:
    """Say which model it is."""
    file = request.checkpoint if request.checkpoint and request.checkpoint.is_file() else None
    return {
        "name": subject.name,
        "given": request.model,
        "architecture": subject.card.architecture,
        "settings": subject.card.settings,
        "classes": subject.card.classes,
        "checkpoint": str(request.checkpoint) if request.checkpoint else None,
        "checkpoint_sha256": _sha256(file) if file else None,
        "weights_sha256": subject.weights_sha256,
        "parameters": sum(parameter.numel() for parameter in subject.model.parameters()),
        "kind": "detector" if subject.detector else "classifier",
        "trained": subject.trained,
    }


def about_data(request: Request, subject: Subject) -> dict | None:
    """Say which pictures they were; None for a detector, whose score names its data."""
    if subject.detector:
        return None
    shown, x = subject.shown, subject.pictures.cpu().numpy()
    digest = hashlib.sha256(np.ascontiguousarray(x).tobytes() + subject.labels.cpu().numpy().tobytes())
    return {
        "name": shown.name,
        "place": shown.place.as_posix(),
        "md5": dvc_md5(shown.place) if shown.name in BUILT else None,
        "pictures_sha256": digest.hexdigest(),
        "n": len(x),
        "of": shown.whole,
        "shape": list(x.shape[1:]),
        "seed": request.seed,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

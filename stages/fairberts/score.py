"""Score classifiers on balanced test sentences: utility, gaps between groups, twins, leakage, Pareto fronts.

A setting is a task and an attribute. Probes of leakage train on a split that no classifier has seen, in which the label
does not tell the group.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydantic import Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.decisions import Guarded, counterfactual, decide, utility
from gauntlet.metrics.fairness import Fairness, fairness
from gauntlet.metrics.leakage import PROBES, leakage, online_codelength
from gauntlet.readers.encoders import read_encoder
from gauntlet.readers.fair_encoders import FairModel, read_fair_models
from gauntlet.readers.fairness import ATTRIBUTES, TASKS, FairTexts, read_split, splits_of
from stages import Out
from stages import Params as StageParams
from stages.machine import parallel
from stages.scores import write_score

HEADLINE, GAP = "fairberts", "equalized_odds_gap"
SWEPT = "demographic_parity_gap"
LINEAR = "logistic"
"""The one probe of models that are only a point of a front."""
SKEWED = "test_skewed"
SCORERS = ("gauntlet", "fairlearn", "scikit-learn")
GROUPS = {"gender": ("male", "female"), "race": ("white", "black")}


class Params(StageParams):
    """What is measured.

    Attributes:
        seed: Of the bootstrap and the probes.
        settings: `<task>_<attribute>`, those that were trained.
        resamples: Of the bootstrap.
        probes: Of leakage, among `gauntlet.metrics.leakage.PROBES`; `logistic` is always run.
    """

    seed: int
    settings: list[str] = Field(min_length=1)
    resamples: int = Field(ge=1)
    probes: list[str]


@dataclass(frozen=True)
class Subject:
    """A task and attribute, and its sentences: to test on, the same under skew where there are such, to probe."""

    task: str
    attribute: str
    test: FairTexts
    skewed: FairTexts | None
    probe: FairTexts


@dataclass(frozen=True)
class Heard:
    """What a model says of the test sentences and of their twins (those that have one, by place), and its states."""

    probabilities: np.ndarray
    states: np.ndarray
    twins: np.ndarray
    paired: np.ndarray
    probe_states: np.ndarray


def run(params: Params, *, corpora: Path, models: Path, encoder: Path, scores: Out) -> None:
    """Write one score a setting."""
    for name in params.settings:
        parse_setting(name)
    if unknown := sorted(set(params.probes) - set(PROBES)):
        raise ArgumentError(f"probes must be among {', '.join(PROBES)}; got {unknown[0]!r}; misspelt?")
    work = partial(_results, params=params, corpora=corpora, models=models, encoder=encoder)
    found = parallel(work, params.settings, what="settings")
    scores.mkdir(parents=True)
    for name, results in zip(params.settings, found, strict=True):
        _write(params, scores, name, results=results, places={"corpora": corpora, "encoder": encoder, "models": models})


def parse_setting(name: str) -> tuple[str, str]:
    """Return task and attribute of a setting such as "toxicity_gender".

    Raises:
        ArgumentError: There is no such.
    """
    task, _, attribute = name.partition("_")
    if task not in TASKS or attribute not in ATTRIBUTES:
        known = ", ".join(f"{task}_{attribute}" for task in TASKS for attribute in ATTRIBUTES)
        raise ArgumentError(f"a setting must be one of {known}; got {name!r}; misspelt?")
    return task, attribute


def _results(name: str, *, params: Params, corpora: Path, models: Path, encoder: Path) -> dict[str, object]:
    subject = _subject(name, corpora)
    trained = read_fair_models(models / name, read_encoder(encoder))
    results: dict[str, object] = {"methods": {}, "pareto": {}, "transfer": {}, "controls": {}}
    for model in trained.values():
        about = model.card.about
        role, method = about["role"], about["method"]
        whole = role == "method" and about["chosen"]
        block = {"name": model.name, "weight": about["weight"]} | _block(
            model, subject, params, whole=whole, twins=whole or role != "method"
        )
        if role == "method":
            results["pareto"].setdefault(method, []).append(_point(block, chosen=whole))
            if whole:
                results["methods"][method] = block
        else:
            results["transfer" if role == "transfer" else "controls"][model.name] = block
    for points in results["pareto"].values():
        points.sort(key=lambda point: (point["weight"] is not None, point["weight"] or 0, point["name"]))
    groups = {str(group): label for group, label in enumerate(GROUPS[subject.attribute])}
    return results | {"task": subject.task, "attribute": subject.attribute, "groups": groups}


def _subject(name: str, corpora: Path) -> Subject:
    task, attribute = parse_setting(name)
    there = splits_of(corpora, task=task)
    read = partial(read_split, corpora, task=task, attribute=attribute)
    return Subject(
        task,
        attribute,
        test=read(split="test"),
        skewed=read(split=SKEWED) if SKEWED in there else None,
        probe=read(split="probe" if "probe" in there else "held_out"),
    )


def _hear(model: FairModel, subject: Subject, *, twins: bool) -> Heard:
    test = subject.test
    paired = np.array([place for place, twin in enumerate(test.twins) if twins and twin is not None], np.int64)
    others = [test.twins[place] for place in paired]
    said, probed = model.predict(test.texts), model.predict(subject.probe.texts)
    return Heard(
        said.probabilities.numpy().astype(np.float64),
        said.states.numpy().astype(np.float64),
        model.predict(others).probabilities.numpy().astype(np.float64) if others else np.zeros(0),
        paired,
        probed.states.numpy().astype(np.float64),
    )


def _block(model: FairModel, subject: Subject, params: Params, *, whole: bool, twins: bool) -> dict[str, object]:
    """Return what is measured of a model.

    Args:
        model: To be measured.
        subject: The sentences.
        params: Of the stage.
        whole: With every probe, the code's length and the skewed test.
        twins: With the twins' sentences; a point of a front shows nothing of them.
    """
    heard, test = _hear(model, subject, twins=twins), subject.test
    drawn = {"resamples": params.resamples, "generator": np.random.default_rng(params.seed)}
    probes = sorted({LINEAR, *params.probes}, key=list(PROBES).index) if whole else [LINEAR]
    block = {
        "utility": _plain_dict(utility(heard.probabilities, test.y, **drawn), n=len(test)),
        **_gaps(fairness(decide(heard.probabilities), test.y, test.z, **drawn), n=len(test)),
        "leakage": _leakage(heard, subject, probes=probes, seed=params.seed),
    }
    if twins:
        pairs = counterfactual(heard.probabilities[heard.paired], heard.twins, **drawn)
        without = len(test) - len(heard.paired)
        block["counterfactual"] = _plain_dict(pairs, n=len(heard.paired)) | {"without_twin": without}
    if whole:
        block["description_length"] = asdict(online_codelength(heard.probe_states, subject.probe.z, seed=params.seed))
        if subject.skewed:
            said = model.predict(subject.skewed.texts).probabilities.numpy().astype(np.float64)
            y, z = subject.skewed.y, subject.skewed.z
            gaps = fairness(decide(said), y, z, **drawn)
            block["skewed"] = {"utility": _plain_dict(utility(said, y, **drawn), n=len(y)), **_gaps(gaps, n=len(y))}
    return block


def _leakage(heard: Heard, subject: Subject, *, probes: list[str], seed: int) -> dict[str, object]:
    found = leakage(
        heard.probe_states,
        subject.probe.z,
        test_states=heard.states,
        test_z=subject.test.z,
        seed=seed,
        probes=probes,
    )
    return {probe: asdict(accuracy) for probe, accuracy in found.probes.items()} | {"majority": found.majority}


def _guarded(found: Guarded, *, n: int) -> dict[str, object]:
    if found.interval is None:
        return {"value": None, "low": None, "high": None, "n": n, "reason": found.reason}
    return asdict(found.interval)


def _plain_dict(found: object, *, n: int) -> dict[str, object]:
    """Turn a dataclass of guarded numbers into what JSON holds."""
    return {name: _guarded(value, n=n) for name, value in vars(found).items()}


def _gaps(found: Fairness, *, n: int) -> dict[str, object]:
    counts = {}
    for group, rates in found.groups.items():
        sizes = {"n": rates.n, "positives": rates.positives, "negatives": rates.negatives}
        counts[str(group)] = sizes | {
            "positive_rate": _guarded(rates.positive_rate, n=rates.n),
            "tpr": _guarded(rates.tpr, n=rates.positives),
            "fpr": _guarded(rates.fpr, n=rates.negatives),
        }
    return {"fairness": {name: _guarded(gap, n=n) for name, gap in found.gaps.items()}, "counts": counts}


def _point(block: Mapping[str, object], *, chosen: bool) -> dict[str, object]:
    return {
        "name": block["name"],
        "weight": block["weight"],
        "chosen": chosen,
        "accuracy": block["utility"]["accuracy"],
        GAP: block["fairness"][GAP],
        SWEPT: block["fairness"][SWEPT],
        "leakage": block["leakage"][LINEAR],
    }


def _write(params: Params, scores: Path, name: str, *, results: dict[str, object], places: Mapping[str, Path]) -> None:
    if not results["methods"]:
        raise DataError(f"{places['models'] / name} must hold a chosen model; it has none; is its training finished?")
    method = next(
        (key for key in sorted(results["methods"]) if key.startswith(HEADLINE)), next(iter(results["methods"]))
    )
    gap = results["methods"][method]["fairness"][GAP]
    if gap["value"] is None:
        raise DataError(f"{name}: every group must have both labels in the test split; {gap['reason']}; more rows?")
    write_score(
        scores / f"{name}.json",
        method="fairberts",
        stage="fairberts-score",
        subject=name,
        results=results,
        headline={
            "name": f"{GAP}_of_{method}",
            **{key: gap[key] for key in ("value", "low", "high", "n")},
            "interval": "95 % bootstrap over sentences",
        },
        n=gap["n"],
        seeds=[params.seed],
        scorer=", ".join(f"{package} {version(package)}" for package in SCORERS),
        params=params,
        inputs={"corpora": places["corpora"], "encoder": places["encoder"], "model": places["models"] / name},
    )

"""Score every fitted method on the test pictures: accuracy by shots, alpha's curve, attention, other styles.

The trunk sees each test picture once. A figure is the mean over the seeds of the draws; its interval draws pictures and
seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field, PositiveInt

from gauntlet.errors import ArgumentError
from gauntlet.metrics.safe_clip import accuracies, mean_over_sets
from gauntlet.models.clip import Clip
from gauntlet.readers.few_shot import evaluation, read_masks
from gauntlet.readers.few_shot_targets import read_target
from stages import Out, Ratio
from stages import Params as StageParams
from stages.files import write_gallery
from stages.machine import machine, parallel
from stages.safe_clip.answers import ZERO_SHOT, Answers, answers, read_fits, validation_curve
from stages.safe_clip.attention import NOTE, TITLE, Row, attention_rows
from stages.safe_clip.features import open_clip_of, read_at, root_of
from stages.safe_clip.fitted import Index, read_index
from stages.scores import write_score

MEANS, GENERALISATION = "means", "generalisation"
HEADLINE, HEADLINE_SHOTS = "safe_a", 4
INTERVAL = "95 % bootstrap over pictures and seeds of the draws"


class Params(StageParams):
    """What is measured; what was fitted, and on what, the models say.

    Attributes:
        seed: Of the bootstrap and of the pictures shown.
        resamples: Of the bootstrap.
        batch: Pictures at a time.
        alphas: Of the curve.
        source: The set whose fits are tried elsewhere; null for none.
        targets: Where: sets of the source's classes, or of some of them.
        samples: Pictures of attention a set.
    """

    seed: int
    resamples: PositiveInt
    batch: PositiveInt
    alphas: list[Ratio]
    source: str | None
    targets: list[str]
    samples: int = Field(ge=0)


class Job(NamedTuple):
    """Test pictures to be scored: of a set, or of a target with the fits of `source`."""

    name: str
    source: str | None = None


class Seen(NamedTuple):
    """What came of a job: answers; and of a set alone what validation saw, alphas chosen and attention shown."""

    answers: Answers
    classes: int
    validation: dict[int, np.ndarray]
    chosen: dict[int, list[float]]
    rows: list[Row]


def run(params: Params, *, sets: Path, clip: Path, models: Path, folders: Path, scores: Out, samples: Out) -> None:
    """Write a score a set, their means, and what carries over to other styles."""
    index = read_index(models)
    if params.targets and params.source not in index.sets:
        raise ArgumentError(f"source must be one of {', '.join(index.sets)}; got {params.source!r}; not trained on?")
    network = open_clip_of(index.official, clip)
    root = root_of(index.official, sets=sets, folders=folders)
    jobs = [Job(name) for name in index.sets] + [Job(name, params.source) for name in params.targets]
    work = partial(_see, params=params, index=index, clip=network, models=models, root=root)
    # Forked workers cannot share a GPU's context; there one process does all.
    seen = parallel(work, jobs, what="test splits", workers=None if machine().device == "cpu" else 1)
    found = dict(zip(jobs, seen, strict=True))
    by_set = {job.name: each for job, each in found.items() if job.source is None}
    elsewhere = {job.name: each.answers for job, each in found.items() if job.source}
    results = {name: _accuracies([each.answers], params) | _of_set(each, params) for name, each in by_set.items()}
    results[MEANS] = _accuracies([each.answers for each in by_set.values()], params) | {"sets": index.sets}
    if elsewhere:
        results[GENERALISATION] = _carried_over(elsewhere, params, index)
    places = {"sets": sets, "clip": clip, "models": models, "folders": folders}
    for name, result in results.items():
        _write(scores / f"{name}.json", result, params=params, index=index, inputs=places)
    rows = [row for each in by_set.values() for row in each.rows]
    write_gallery(samples, title=TITLE, note=NOTE, rows=rows)


def _see(job: Job, *, params: Params, index: Index, clip: Clip, models: Path, root: Path) -> Seen:
    """Answer for the test pictures of a set, or of a target with the most shots."""
    few_shot = read_at(root, job.source or job.name, clip)
    shots = [max(index.shots)] if job.source else index.shots
    fits = read_fits(models, index, clip=clip, few_shot=few_shot, shots=shots)
    if job.source:
        size = evaluation(clip.image_size_px)
        images, places = read_target(root, job.name, class_names=few_shot.class_names, transform=size)
        found = answers(clip, images, fits=fits, places=places, batch=params.batch)
        return Seen(found, len(images.class_names), {}, {}, [])
    attended = fits.safe().get(max(shots), [])
    alphas = tuple(params.alphas)
    found = answers(
        clip,
        few_shot.test,
        fits=fits,
        alphas=alphas,
        attended=attended,
        masks=read_masks(root, job.name),
        batch=params.batch,
    )
    random = np.random.default_rng([params.seed, *job.name.encode()])
    shown = np.sort(random.permutation(len(few_shot.test))[: params.samples])
    return Seen(
        found,
        len(few_shot.class_names),
        validation_curve(clip, few_shot, fits=fits, index=index, alphas=alphas, batch=params.batch),
        {k: [fit.chosen["alpha"] for fit in seeds] for k, seeds in fits.safe().items()},
        attention_rows(clip, few_shot, frozen=fits.frozen, safe=attended[0], places=shown) if attended else [],
    )


def _columns(found: Answers) -> np.ndarray:
    """Return every method at every shots as columns, [seeds, N, K]; zero-shot's row stands for every seed."""
    seeds = max(len(right) for right in found.right.values())
    rows = [np.broadcast_to(right, (seeds, right.shape[1])) for right in found.right.values()]
    return np.stack(rows, axis=2)


def _accuracies(found: Sequence[Answers], params: Params) -> dict[str, object]:
    """Return accuracies by method and shots: of one set, or the means over several."""
    drawn = {"resamples": params.resamples, "generator": np.random.default_rng(params.seed)}
    keys = list(found[0].right)
    rates = dict(zip(keys, mean_over_sets([_columns(each) for each in found], **drawn), strict=True))
    by_seed = {key: np.mean([each.right[key].mean(axis=1) for each in found], axis=0) for key in keys}
    methods: dict[str, dict] = {}
    seeds: dict[str, dict] = {}
    results = {"methods": methods, "seeds": seeds, "n_test": next(iter(rates.values())).n}
    for (name, shots), rate in rates.items():
        if name == ZERO_SHOT:
            results[ZERO_SHOT] = asdict(rate)
        else:
            methods.setdefault(name, {"shots": {}})["shots"][str(shots)] = asdict(rate)
            seeds.setdefault(name, {})[str(shots)] = [round(value, 6) for value in by_seed[name, shots].tolist()]
    return results


def _of_set(seen: Seen, params: Params) -> dict[str, object]:
    """Return what only a set has: alpha's curve and choice, and the attention."""
    rates = partial(accuracies, resamples=params.resamples)
    curve = []
    for shots, right in seen.answers.curve.items():
        # Each seed has validation pictures of its own, so that they are drawn as the pictures of one long list.
        val = seen.validation[shots].reshape(1, -1, right.shape[2])
        on_val, on_test = (rates(each, generator=np.random.default_rng(params.seed)) for each in (val, right))
        for alpha, held, tested in zip(params.alphas, on_val, on_test, strict=True):
            curve.append({"alpha": alpha, "shots": shots, "val": asdict(held), "test": asdict(tested)})
    attention = {}
    for name, values in seen.answers.attention.items():
        before, after = rates(values, generator=np.random.default_rng(params.seed))
        attention |= {f"{name}_before": asdict(before), f"{name}_after": asdict(after)}
    chosen = {str(shots): alphas for shots, alphas in seen.chosen.items()}
    return {"alpha": {"curve": curve, "chosen": chosen}, "attention": attention, "classes": seen.classes}


def _carried_over(found: Mapping[str, Answers], params: Params, index: Index) -> dict[str, object]:
    """Return accuracies by target and method, and their means over the targets."""
    shots = max(index.shots)

    def by_method(results: Mapping[str, dict]) -> dict[str, object]:
        rates = {name: each["shots"][str(shots)] for name, each in results["methods"].items()}
        return ({ZERO_SHOT: results[ZERO_SHOT]} if ZERO_SHOT in results else {}) | rates

    targets = {name: by_method(_accuracies([each], params)) for name, each in found.items()}
    means = _accuracies(list(found.values()), params)
    return {"source": params.source, "shots": shots, "targets": targets, "means": by_method(means)} | {
        "n_test": means["n_test"]
    }


def _headline(results: Mapping[str, dict], index: Index) -> dict[str, object]:
    """Return SAFE-A at four shots, or at the number of shots next to it; of few methods the last."""
    method = HEADLINE if HEADLINE in index.methods else index.methods[-1]
    if "means" in results:
        rate, shots = results["means"][method], results["shots"]
    elif method == ZERO_SHOT:
        rate, shots = results[ZERO_SHOT], 0
    else:
        shots = min(index.shots, key=lambda k: abs(k - HEADLINE_SHOTS))
        rate = results["methods"][method]["shots"][str(shots)]
    return {"name": f"top1_of_{method}_at_{shots}_shots", **rate, "interval": INTERVAL}


def _write(path: Path, results: Mapping[str, object], *, params: Params, index: Index, inputs: dict[str, Path]) -> None:
    write_score(
        path,
        method="safe_clip",
        stage="safe_clip-score",
        subject=path.stem,
        results=results,
        headline=_headline(results, index),
        n=results["n_test"],
        seeds=[*index.seeds, params.seed],
        scorer=f"gauntlet {version('gauntlet')}",
        params=params,
        inputs=inputs,
    )

"""Try every classifier in every suite of ARES-Bench and keep the outcome on each image: scores are then counting."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor

from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.radius import radius_between
from gauntlet.attacks.survival import right_in_batches
from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.folders import named_folder
from gauntlet.readers.imagenet_ood import OodSet
from gauntlet.suites import SUITES, Outcomes, Plan, fits
from gauntlet.suites.classifier import corrupted, pixels, seeded
from gauntlet.suites.outcomes import merged
from gauntlet.suites.transfer import made_on
from stages import Out
from stages import Params as StageParams
from stages.ares_bench.models import Subject, Test, subjects
from stages.ares_bench.ood import about, check_folders, judged, read_ood
from stages.files import write_gallery, write_json
from stages.labelled import read, some
from stages.machine import machine, parallel

SCORED = ("seed", "eps", "budgets")
"""What of a plan the scores need to know."""

Settings = dict[str, dict[str, str | int | float | bool]]


class Samples(StageParams):
    """The gallery: what the least perturbation of each looks like.

    Attributes:
        images: Rows a model.
        models: Names.
    """

    images: int = Field(ge=0)
    models: list[str]


class Params(StageParams):
    """How hard everything is tried; field by field as in `gauntlet.suites.Plan`.

    Attributes:
        seed: Of all randomness.
        variants: The models of fgsm_law that are tried; others in the folder are left-overs.
        images: Test pictures a model; null for all.
        batch: Pictures at a time.
        budgets: Points of the curve above 0, evenly spaced up to the test's largest.
        transfer_sources: Models that transferred images are made on; null for all.
        tests: By name.
        samples: The gallery.
    """

    seed: int
    variants: list[str]
    images: int | None = Field(ge=1)
    batch: int = Field(ge=1)
    budgets: int = Field(ge=1)
    steps: int = Field(ge=1)
    step_counts: tuple[int, ...]
    attacks: Settings
    transfer: Settings
    transfer_sources: list[str] | None
    low_pass: tuple[float, ...]
    corruptions: tuple[str, ...]
    defences: Settings
    checked: int = Field(ge=1)
    tests: dict[str, Test]
    samples: Samples


@dataclass(frozen=True)
class Bench:
    """One test with its pictures at hand: x uint8 N x C x H x W and y int64 N on the device, others by key."""

    plan: Plan
    folders: Path
    class_names: list[str]
    x: Tensor
    y: Tensor
    shifted: Mapping[str, Tensor]
    ood: Mapping[str, OodSet]

    def model(self, subject: Subject) -> torch.nn.Module:
        """Open a classifier."""
        return subject.open(class_names=self.class_names, folders=self.folders)


def run(params: Params, *, models: Path, images: Path, digits: Path, folders: Path, outcomes: Out) -> None:
    """Write outcomes.parquet, problems.json, subjects.json and the gallery."""
    outcomes.mkdir(parents=True)
    places = {"images": images, "digits": digits, "folders": folders}
    rows, problems, listed, gallery = [], {}, {}, []
    listing = {name: list(subjects(test, models, variants=params.variants)) for name, test in params.tests.items()}
    _check_names([each.name for found in listing.values() for each in found])
    for test in params.tests.values():
        check_folders(test.ood, data=test.data, folders=folders)
    for name, test in params.tests.items():
        found = listing[name]
        if not found:
            continue
        bench = _bench(params, test, places=places)
        # CUDA does not survive a fork.
        workers = 1 if machine().device.startswith("cuda") else None
        tried = parallel(partial(_try, bench), found, what=f"models tried on {name}", workers=workers)
        carried = _transferred(params, bench, found, workers=workers)
        listed[name] = {
            "models": {each.name: {"trained": each.trained, "data": test.data.name} for each in found},
            "plan": {key: value for key, value in asdict(bench.plan).items() if key in SCORED},
            **({"ood": about(test.ood, bench.ood)} if test.ood else {}),
        }
        for subject, outcome in zip(found, tried, strict=True):
            values = {**outcome.values, **{key: right[subject.name] for key, right in carried.items()}}
            rows.append(_rows(subject.name, values))
            problems[subject.name] = dict(outcome.problems)
        gallery += [
            row for each in found if each.name in params.samples.models for row in _samples(params, bench, each)
        ]
    if not rows:
        raise DataError(f"{models} must hold models trained on {', '.join(params.tests)}; it holds none; trained yet?")
    pd.concat(rows, ignore_index=True).to_parquet(outcomes / "outcomes.parquet", index=False)
    write_json(outcomes / "problems.json", problems)
    write_json(outcomes / "subjects.json", listed)
    write_gallery(
        outcomes / "samples",
        title="Least adversarial perturbations",
        note="The picture, the smallest Linf change by PGD that fools the model, and that change ten times larger.",
        rows=gallery,
    )


def _check_names(names: list[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise ArgumentError(f"tests: each model must have a name of its own; {twice[0]!r} is there twice")


def plan_of(params: Params, test: Test) -> Plan:
    """Return the plan of one test.

    Raises:
        ArgumentError: A name in it is unknown, or a number outside its range.
    """
    if "linf" not in test.largest or any(not largest > 0 for largest in test.largest.values()):
        raise ArgumentError(f"largest must be above 0, for linf at least; got {test.largest}")
    return Plan(
        seed=params.seed,
        batch=params.batch,
        eps=test.eps,
        steps=params.steps,
        budgets={
            norm: tuple(largest * place / params.budgets for place in range(1, params.budgets + 1))
            for norm, largest in test.largest.items()
        },
        step_counts=params.step_counts,
        attacks=params.attacks,
        transfer=params.transfer,
        low_pass=params.low_pass,
        corruptions=params.corruptions,
        defences=params.defences,
        checked=params.checked,
    )


def _bench(params: Params, test: Test, *, places: Mapping[str, Path]) -> Bench:
    plan = plan_of(params, test)
    pictures = some(read(test.data, "test", **places), params.images, seed=params.seed)
    x, y = (part.to(machine().device) for part in pictures.tensors())
    shifted = corrupted(x, plan=plan) if plan.corruptions and not fits("corruptions", x) else {}
    ood = _ood(params, test, wnids=pictures.class_names, folders=places["folders"])
    return Bench(plan, places["folders"], pictures.class_names, x, y, shifted, ood)


def _ood(params: Params, test: Test, *, wnids: list[str], folders: Path) -> dict[str, OodSet]:
    if not test.ood:
        return {}
    own = named_folder(folders, test.data.folder) / "val"
    read_set = partial(read_ood, wnids=wnids, own=own, folders=folders, seed=params.seed)
    return {key: found for name, ood in test.ood.items() for key, found in read_set(name, ood).items()}


def _try(bench: Bench, subject: Subject) -> Outcomes:
    try:
        return _outcomes(bench, subject)
    except ArgumentError as error:
        raise ArgumentError(f"{subject.name}: {error}") from None


def _outcomes(bench: Bench, subject: Subject) -> Outcomes:
    """Run all suites; the corrupted pictures are the same for all models and made once."""
    model = bench.model(subject)
    plan = bench.plan if subject.trained is None else replace(bench.plan, eps=subject.trained["eps"])
    parts = [suite(model, bench.x, bench.y, plan=plan) for name, suite in SUITES.items() if name != "corruptions"]
    values = {
        key: right_in_batches(model, pixels(pictures), bench.y, batch=plan.batch).cpu().numpy()
        for key, pictures in bench.shifted.items()
    }
    values |= {key: judged(model, found, batch=plan.batch) for key, found in bench.ood.items()}
    return merged([*parts, Outcomes(values)])


def _transferred(params: Params, bench: Bench, found: list[Subject], *, workers: int | None) -> dict[str, dict]:
    """Return which images made on each source each target gets right, by key and target."""
    sources = [each for each in found if params.transfer_sources is None or each.name in params.transfer_sources]
    shown = parallel(partial(_show, bench, found), sources, what="sources of transfer", workers=workers)
    return {key: right for part in shown for key, right in part.items()}


def _show(bench: Bench, targets: list[Subject], source: Subject) -> dict[str, dict]:
    found, model = {}, bench.model(source)
    for attack in bench.plan.transfer:
        x_adv = made_on(model, bench.x, bench.y, attack=attack, plan=bench.plan)
        found[f"transfer/{attack}/{source.name}"] = {
            target.name: right_in_batches(bench.model(target), x_adv, bench.y, batch=bench.plan.batch).cpu().numpy()
            for target in targets
        }
    return found


def _rows(model: str, values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    counts = [len(each) for each in values.values()]
    frame = {
        "image": np.concatenate([np.arange(count, dtype="int32") for count in counts]),
        "value": np.concatenate(list(values.values())).astype("float64"),
        "model": pd.array([model] * sum(counts), dtype="string"),
        "key": pd.array(np.repeat(list(values), counts), dtype="string"),
    }
    return pd.DataFrame(frame)


def _samples(params: Params, bench: Bench, subject: Subject) -> list[tuple[str, dict]]:
    """Return gallery rows of the images that the model gets right."""
    model, plan = bench.model(subject), bench.plan
    right = right_in_batches(model, pixels(bench.x), bench.y, batch=plan.batch).nonzero()[: params.samples.images, 0]
    x, y = pixels(bench.x[right]), bench.y[right]

    def attack(model: torch.nn.Module, x: Tensor, y: Tensor, *, eps: Tensor, generator: torch.Generator) -> Tensor:
        return pgd(model, x, y, eps=eps, alpha=eps / 4, steps=plan.steps, generator=generator)

    found = radius_between(
        model, x, y, attack=attack, norm="linf", budgets=plan.budgets["linf"], batch=plan.batch, generator=seeded(plan)
    )
    said = model(found.x_adv).argmax(1)
    return [
        (
            f"{subject.name}: {bench.class_names[truth]} becomes {bench.class_names[guess]} at {255 * radius:.1f}/255",
            {"original": _picture(one), "attacked": _picture(two), "change x 10": _picture(0.5 + 10 * (two - one))},
        )
        for one, two, truth, guess, radius in zip(x, found.x_adv, y, said, found.radius.tolist(), strict=True)
        if radius != float("inf")
    ]


def _picture(pixels_: Tensor):
    array = (pixels_.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return array[:, :, 0] if array.shape[2] == 1 else array

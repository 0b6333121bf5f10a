"""Score every model of fgsm_law.train on the test pictures: clean, FGSM, PGD-10, 20 and 50, C&W, AutoAttack.

The attacks are those of the paper's evaluation: a random start, steps of a quarter of eps, C&W as PGD on the margin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from gauntlet.attacks.autoattack import standard
from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.survival import Attack, right_in_batches, survives
from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.intervals import Interval, wilson
from gauntlet.readers.checkpoints import load_checkpoint
from gauntlet.readers.labelled import balanced_order
from gauntlet.readers.models import ModelCard, load_model
from stages import Out
from stages import Params as StageParams
from stages.labelled import Data, check_classes, read, some
from stages.machine import machine, parallel
from stages.scores import write_score

CHAIN = ("fgsm", "pgd_10", "pgd_20", "pgd_50", "cw_20")
LAST = ("pgd_10", "pgd_50")
MONOTONE = ("clean", "fgsm", "pgd_10", "pgd_50")
TOLERANCE = 0.003
"""How far a stronger attack may leave more than a weaker one before it says that something is broken."""

TRAINED = ("data", "method", "switches", "eps", "seed", "epochs", "best_epoch", "passes", "overfitting")
"""What fgsm_law.train notes in model.json."""


class AutoAttack(StageParams):
    """The expensive last column.

    Attributes:
        images: How many of the test pictures; null for all, 0 for none.
        variants: Names of the models; null for all.
    """

    images: int | None = Field(ge=0)
    variants: list[str] | None


class Params(StageParams):
    """How the models are attacked.

    Attributes:
        seed: Of the random starts.
        variants: The models that are scored; others in the folder are left-overs.
        images: How many of the test pictures; null for all.
        batch: Pictures at a time.
        autoattack: The standard version of AutoAttack.
    """

    seed: int
    variants: list[str] = Field(min_length=1)
    images: int | None = Field(ge=1)
    batch: int = Field(ge=1)
    autoattack: AutoAttack


def run(params: Params, *, models: Path, images: Path, digits: Path, folders: Path, scores: Out) -> None:
    """Write one score a model."""
    found = [models / name for name in sorted(params.variants)]
    scores.mkdir(parents=True)
    places = {"images": images, "digits": digits, "folders": folders}
    # CUDA does not survive a fork.
    workers = 1 if machine().device.startswith("cuda") else None
    results = parallel(partial(_results, params, places=places), found, what="models scored", workers=workers)
    unit = {data: _passes(result) for result in results for method, data in [_kind(result)] if method == "plain"}
    for folder, result in zip(found, results, strict=True):
        training = result["training"]
        against = unit.get(training["data"]) or training["epochs"] or 1
        result["cost"]["relative"] = round(_passes(result) / against, 4)
        write_score(
            scores / f"{folder.name}.json",
            method="fgsm_law",
            stage="fgsm_law-score",
            subject=folder.name,
            results=result,
            headline={"name": "pgd_50", **result["pgd_50"], "interval": "95 % Wilson"},
            n=result["pgd_50"]["n"],
            seeds=sorted({params.seed, training["seed"]}),
            scorer=f"gauntlet {version('gauntlet')}",
            params=params,
            inputs={"model": folder, **places},
        )


def _kind(result: Mapping) -> tuple[str, str]:
    return result["training"]["method"], result["training"]["data"]


def _passes(result: Mapping) -> float:
    return result["cost"]["passes"]


def _results(params: Params, folder: Path, *, places: Mapping[str, Path]) -> dict:
    model, card = load_model(folder)
    if lacking := [name for name in TRAINED if name not in card.about]:
        raise DataError(f"{folder}/model.json must name {lacking[0]}; written by another stage than fgsm_law.train?")
    data = read(Data(**card.about["data"]), "test", **places)
    check_classes(folder, card.classes, data.class_names)
    chosen = some(data, params.images, seed=params.seed)
    x, y = (part.to(machine().device) for part in chosen.tensors())
    model, x = model.to(machine().device), x.float() / 255
    try:
        held = _held(params, model, x, y=y, eps=card.about["eps"])
        few = _few(params.autoattack, chosen.labels, name=folder.name, seed=params.seed)
        strongest = _standard(params, model, x[few], y=y[few], eps=card.about["eps"]) if len(few) else None
        last = held
        if card.about["best_epoch"] != card.about["epochs"]:
            load_checkpoint(model, folder / "last.safetensors")
            last = _held(params, model, x, y=y, eps=card.about["eps"], attacks=LAST)
    except ArgumentError as error:
        raise DataError(f"{folder}: {error}") from None
    return {
        **{name: asdict(_rate(right)) for name, right in held.items()},
        "autoattack": None if strongest is None else asdict(_rate(strongest)),
        "training": _about(card),
        "last": {name: asdict(_rate(last[name])) for name in ("clean", *LAST)},
        "best_epoch": card.about["best_epoch"],
        "overfitting": card.about["overfitting"],
        "cost": {"passes": round(card.about["passes"], 4)},
        "monotone": _monotone([held[name] for name in MONOTONE])
        and (strongest is None or _monotone([held["pgd_50"][few], strongest])),
    }


def _about(card: ModelCard) -> dict:
    kept = {name: card.about[name] for name in ("method", "eps", "seed", "epochs", "switches")}
    return kept | {"data": Data(**card.about["data"]).name, "architecture": card.architecture}


def _held(
    params: Params, model: nn.Module, x: Tensor, *, y: Tensor, eps: float, attacks: Sequence[str] = CHAIN
) -> dict[str, Tensor]:
    """Attack one model; each PGD goes on with what the shorter one before it has left, from the same start."""
    attack = partial(pgd, alpha=eps / 4)
    known: dict[str, Attack] = {
        "fgsm": partial(pgd, alpha=eps, steps=1),
        "pgd_10": partial(attack, steps=10),
        "pgd_20": partial(attack, steps=20),
        "pgd_50": partial(attack, steps=50),
        "cw_20": partial(attack, steps=20, loss="margin"),
    }
    held = {"clean": right_in_batches(model, x, y, batch=params.batch)}
    left = held["clean"]
    for name in attacks:
        longer = name.startswith("pgd")
        before = left if longer else held["clean"]
        held[name] = before.clone()
        if before.any():
            held[name][before] = survives(
                model,
                x[before],
                y[before],
                attack=known[name],
                eps=eps,
                norm="linf",
                batch=params.batch,
                generator=torch.Generator().manual_seed(params.seed),
            )
        left = held[name] if longer else left
    return held


def _few(params: AutoAttack, labels: np.ndarray, *, name: str, seed: int) -> np.ndarray:
    """Return which pictures AutoAttack is run on: every class in its share, for data sets come sorted by class."""
    wanted = params.variants is None or name in params.variants
    count = (len(labels) if params.images is None else params.images) if wanted else 0
    return np.sort(balanced_order(labels, seed=seed)[:count])


def _standard(params: Params, model: nn.Module, x: Tensor, *, y: Tensor, eps: float) -> Tensor:
    return standard(model, x, y, eps=eps, generator=torch.Generator().manual_seed(params.seed)).robust


def _monotone(held: Sequence[Tensor]) -> bool:
    rates = [_rate(right).value for right in held]
    return all(weak >= strong - TOLERANCE for weak, strong in pairwise(rates))


def _rate(held: Tensor) -> Interval:
    return wilson(int(held.sum()), len(held))

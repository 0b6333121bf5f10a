"""Score every model of fgsm_law.train on the test pictures: clean, FGSM, PGD-10, 20 and 50, C&W, AutoAttack.

The attacks are those of the paper's evaluation: a random start, steps of a quarter of eps, C&W as PGD on the margin.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import torch
from pydantic import Field
from safetensors.torch import load_file
from torch import Tensor, nn

from gauntlet.attacks.autoattack import standard
from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.survival import Attack, survives
from gauntlet.errors import DataError
from gauntlet.metrics.intervals import Interval, wilson
from gauntlet.readers.models import ModelCard, load_model
from stages import Out
from stages import Params as StageParams
from stages.labelled import Data, read, some
from stages.machine import machine, parallel
from stages.scores import write_score

MONOTONE = ("clean", "fgsm", "pgd_10", "pgd_50", "autoattack")
TOLERANCE = 0.003
"""How far a stronger attack may leave more than a weaker one before it says that something is broken."""


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
        images: How many of the test pictures; null for all.
        batch: Pictures at a time.
        autoattack: The standard version of AutoAttack.
    """

    seed: int
    images: int | None = Field(ge=1)
    batch: int = Field(ge=1)
    autoattack: AutoAttack


def run(params: Params, *, models: Path, images: Path, digits: Path, folders: Path, scores: Out) -> None:
    """Write one score a model."""
    found = sorted(file.parent for file in models.glob("*/model.json"))
    if not found:
        raise DataError(f"{models} must hold model folders; it holds none; trained elsewhere?")
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
    data = read(Data(**card.about["data"]), "test", **places)
    x, y = (part.to(machine().device) for part in some(data, params.images, seed=params.seed).tensors())
    if list(data.class_names) != card.classes:
        raise DataError(f"{folder} must have the data's {len(data.class_names)} classes; got {len(card.classes)}")
    model = model.to(machine().device)
    test = partial(_table, params, x=x.float() / 255, y=y, eps=card.about["eps"])
    wanted = params.autoattack.variants is None or folder.name in params.autoattack.variants
    table = test(model, standard_images=params.autoattack.images if wanted else 0)
    model.load_state_dict(load_file(folder / "last.safetensors"))
    last = test(model.eval(), standard_images=0)
    rates = [table[name]["value"] for name in MONOTONE if table[name] and table[name]["n"] == len(x)]
    return table | {
        "training": _about(card),
        "last": {name: last[name] for name in ("clean", "pgd_10", "pgd_50")},
        "best_epoch": card.about["best_epoch"],
        "overfitting": card.about["overfitting"],
        "cost": {"passes": round(card.about["passes"], 4)},
        "monotone": all(weak >= strong - TOLERANCE for weak, strong in pairwise(rates)),
    }


def _about(card: ModelCard) -> dict:
    kept = {name: card.about[name] for name in ("method", "eps", "seed", "epochs", "switches")}
    return kept | {"data": Data(**card.about["data"]).name, "architecture": card.architecture}


def _table(
    params: Params, model: nn.Module, *, x: Tensor, y: Tensor, eps: float, standard_images: int | None
) -> dict[str, dict | None]:
    """Attack one model; each PGD goes on with what the shorter one has left, from the same start."""
    attack = partial(pgd, alpha=eps / 4)
    chain: dict[str, Attack] = {
        "fgsm": partial(pgd, alpha=eps, steps=1),
        "pgd_10": partial(attack, steps=10),
        "pgd_20": partial(attack, steps=20),
        "pgd_50": partial(attack, steps=50),
        "cw_20": partial(attack, steps=20, loss="margin"),
    }
    clean = _right(model, x, y, batch=params.batch)
    found = {"clean": clean}
    for name, each in chain.items():
        before = found["pgd_10" if name == "pgd_20" else "pgd_20" if name == "pgd_50" else "clean"]
        found[name] = before.clone()
        if not before.any():
            continue
        found[name][before] = survives(
            model,
            x[before],
            y[before],
            attack=each,
            eps=eps,
            norm="linf",
            batch=params.batch,
            generator=torch.Generator().manual_seed(params.seed),
        )
    table = {name: asdict(_rate(held)) for name, held in found.items()}
    return table | {"autoattack": _standard(params, model, x=x, y=y, eps=eps, images=standard_images)}


def _standard(params: Params, model: nn.Module, *, x: Tensor, y: Tensor, eps: float, images: int | None) -> dict | None:
    if images == 0:
        return None
    generator = torch.Generator().manual_seed(params.seed)
    broken = standard(model, x[:images], y[:images], eps=eps, generator=generator)
    return asdict(_rate(broken.robust))


@torch.inference_mode()
def _right(model: nn.Module, x: Tensor, y: Tensor, *, batch: int) -> Tensor:
    pairs = zip(x.split(batch), y.split(batch), strict=True)
    return torch.cat([model(images).argmax(1) == truth for images, truth in pairs]).clone()


def _rate(held: Tensor) -> Interval:
    return wilson(int(held.sum()), len(held))

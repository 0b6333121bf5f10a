"""The weakest spots, with pictures: the smallest changes that fool, the worst corruptions, edits and domains."""

import json
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.radius import radius_between
from gauntlet.metrics.imagenet_e import CONTROL
from gauntlet.metrics.imagenet_e import SETTINGS as NAMES
from gauntlet.readers.imagenet_e import ORIGINAL
from gauntlet.shifts.corruptions import CORRUPTIONS
from gauntlet.suites import Outcomes, Plan
from gauntlet.suites.classifier import pixels, seeded
from stages.audit.battery import Findings, plan_of
from stages.audit.edits import read_setting
from stages.audit.request import Request
from stages.audit.subject import Subject, batch_of
from stages.files import write_gallery
from stages.machine import machine
from stages.summary.figures import words

SPOTS, EXAMPLES = 3, 4
"""Corruptions or edits that are shown, and pictures of each."""

Rows = list[tuple[str, Mapping[str, np.ndarray]]]


def write_galleries(request: Request, subject: Subject, findings: Findings, *, folder: Path) -> list[str]:
    """Write what there is to see, one gallery each below `folder`; return their names in the order of the card."""
    written = []
    if findings.outcomes:
        plan = plan_of(request, subject)
        for name, title, note, rows in _of_classifier(subject, findings.outcomes, plan=plan):
            if rows:
                write_gallery(folder / name, title=title, note=note, rows=rows)
                written.append(name)
    if findings.edited and (rows := list(_edited(subject, findings))):
        note = "Pictures that are right before the edit and wrong after it, under the edits that cost most."
        write_gallery(folder / "edits", title="The costliest edits", note=note, rows=rows)
        written.append("edits")
    if findings.detected:
        _copy_worst_first(findings, folder / "domains")
        written.append("domains")
    return written


def _of_classifier(subject: Subject, outcomes: Outcomes, *, plan: Plan) -> Iterator[tuple[str, str, str, Rows]]:
    if "radius/linf" in outcomes.values:
        note = (
            "Of all pictures that the model gets right, those that the smallest Linf change found by PGD turns wrong; "
            "the change is shown ten times larger around grey."
        )
        rows = least_changes(subject, outcomes.values["radius/linf"], plan=plan)
        yield "changes", "The smallest changes that fool", note, rows
    if worst := worst_corruptions(outcomes):
        note = "Pictures that are right as they are and wrong under the corruptions that cost most."
        rows = [row for key in worst for row in _corrupted_rows(subject, outcomes, key, plan=plan)]
        yield "corruptions", "The costliest corruptions", note, rows


def least_changes(subject: Subject, radii: np.ndarray, *, plan: Plan) -> Rows:
    """Return rows of the pictures with the least radius above 0: as they are, attacked, and the change."""
    order = np.argsort(radii, kind="stable")
    chosen = torch.from_numpy(order[(radii[order] > 0) & np.isfinite(radii[order])][: 2 * EXAMPLES]).to(
        machine().device
    )
    if not len(chosen):
        return []
    x, y, names = pixels(subject.pictures[chosen]), subject.labels[chosen], subject.card.classes

    def attack(model: nn.Module, x: Tensor, y: Tensor, *, eps: Tensor, generator: torch.Generator) -> Tensor:
        return pgd(model, x, y, eps=eps, alpha=eps / 4, steps=plan.steps, generator=generator)

    # An image's share of the randomness depends on the image alone: the search finds what the suite found.
    found = radius_between(
        subject.model,
        x,
        y,
        attack=attack,
        norm="linf",
        budgets=plan.budgets["linf"],
        batch=plan.batch,
        generator=seeded(plan),
    )
    said = subject.model(found.x_adv).argmax(1)
    return [
        (
            f"{names[truth]} becomes {names[guess]} within {255 * radius:.2f}/255",
            {"original": _picture(one), "attacked": _picture(two), "change x 10": _picture(0.5 + 10 * (two - one))},
        )
        for one, two, truth, guess, radius in zip(x, found.x_adv, y, said, found.radius.tolist(), strict=True)
    ]


def worst_corruptions(outcomes: Outcomes) -> list[str]:
    """Return the keys of the corruptions that leave least, each at its worst severity, the worst first."""
    worst: dict[str, str] = {}
    for key in (key for key in outcomes.values if key.startswith("corruption/")):
        name = key.split("/")[1]
        if name not in worst or outcomes.values[key].mean() < outcomes.values[worst[name]].mean():
            worst[name] = key
    return sorted(worst.values(), key=lambda key: (outcomes.values[key].mean(), key))[:SPOTS]


def corrupted_by(key: str, x: Tensor, *, plan: Plan) -> Tensor:
    """Return the pictures that the suite tried under one key: its generator is seeded with the corruption's place."""
    _, name, severity = key.split("/")
    generator = np.random.default_rng([plan.seed, plan.corruptions.index(name), int(severity)])
    made = CORRUPTIONS[name](x.permute(0, 2, 3, 1).cpu().numpy(), severity=int(severity), generator=generator)
    return torch.from_numpy(made).permute(0, 3, 1, 2).to(x.device)


def _corrupted_rows(subject: Subject, outcomes: Outcomes, key: str, *, plan: Plan) -> Rows:
    right = outcomes.values[key]
    lost = torch.from_numpy(np.flatnonzero(outcomes.values["clean"] & ~right)[:EXAMPLES]).to(machine().device)
    if not len(lost):
        return []
    _, name, severity = key.split("/")
    label = f"{words(name)} {severity}"
    shifted = pixels(corrupted_by(key, subject.pictures, plan=plan)[lost])
    what = f"{label}, {100 * right.mean():.1f} % right"
    return _pairs(subject, pixels(subject.pictures[lost]), shifted, labels=subject.labels[lost], what=what, label=label)


def _edited(subject: Subject, findings: Findings) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    right, table = findings.edited.right, findings.edited.table
    drops = {name: drop.drop.value for name, drop in table.settings.items() if name != CONTROL}
    first = read_setting(ORIGINAL)
    places = np.array([subject.card.classes.index(name) for name in first.class_names])
    for setting in sorted(drops, key=drops.get, reverse=True)[:SPOTS]:
        lost = np.flatnonzero(right[ORIGINAL] & ~right[setting])[:EXAMPLES]
        if len(lost):
            before, after = (_tensor(images.x[lost]) for images in (first, read_setting(setting)))
            labels = torch.from_numpy(places[first.labels[lost]]).to(machine().device)
            what = f"{words(setting)}, drop {100 * drops[setting]:.1f} points"
            yield from _pairs(subject, before, after, labels=labels, what=what, label=NAMES[setting])


def _tensor(pictures: np.ndarray) -> Tensor:
    return pixels(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().to(machine().device))


@torch.inference_mode()
def _pairs(subject: Subject, before: Tensor, after: Tensor, *, labels: Tensor, what: str, label: str) -> Rows:
    guess = partial(_said, subject)
    return [
        (
            f"{what}: {subject.card.classes[truth]} becomes {subject.card.classes[guessed]}",
            {"original": _picture(one), label: _picture(two)},
        )
        for one, two, truth, guessed in zip(before, after, labels.tolist(), guess(after), strict=True)
    ]


def _said(subject: Subject, x: Tensor) -> list[int]:
    return torch.cat([subject.model(part).argmax(1) for part in x.split(batch_of(x))]).tolist()


def _picture(pixels_: Tensor) -> np.ndarray:
    array = (pixels_.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return array[:, :, 0] if array.shape[2] == 1 else array


def _copy_worst_first(findings: Findings, folder: Path) -> None:
    """Move the detector's gallery here, the domain with the lowest AP first."""
    domains = findings.detected.score["results"]["domains"]
    shutil.copytree(findings.detected.gallery, folder)
    file = folder / "gallery.json"
    gallery = json.loads(file.read_text())
    gallery["rows"].sort(key=lambda row: domains[row["caption"].partition(":")[0]]["ap"]["value"])
    file.write_text(json.dumps(gallery | {"title": "The costliest domains first"}))

"""Make the adversarial setting: a busier background that also leads a classifier away from the true class."""

import json
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import nn

from gauntlet.errors import DataError
from gauntlet.metrics.imagenet_e import SETTINGS as NAMES
from gauntlet.readers.classification import Images, read_images
from gauntlet.readers.imagenet_e import read_backdrops, read_edits
from gauntlet.readers.models import load_model, read_card
from gauntlet.shifts.imagenet_e import SETTINGS, render
from gauntlet.shifts.imagenet_e_background import complexity
from stages import Out
from stages import Params as StageParams
from stages.files import write_gallery, write_json
from stages.imagenet_e.build import describe, spread
from stages.imagenet_e.prior import load_prior, prior_folder
from stages.imagenet_e.shards import Picture, encode_png, write_pictures
from stages.machine import machine, parallel

SLUG = "background_adversarial"
CHUNK = 16


class Params(StageParams):
    """How hard the classifier is fought; lambda, steps and the prior are those of `imagenet_e.build`.

    Attributes:
        seed: Of the textures.
        classifier_scale: Weight of the classifier's gradient; with the prior without weights, its size relative to
            that of the complexity's gradient.
        samples: Rows of the gallery.
    """

    seed: int
    classifier_scale: float = Field(gt=0)
    samples: int = Field(ge=0)


class Chunk(NamedTuple):
    """Pictures that are attacked together: `labels` are the victim's."""

    index: int
    x: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    backdrops: np.ndarray


@cache
def _victim(folder: Path) -> nn.Module:
    network, _ = load_model(folder)
    return network.to(machine().device).requires_grad_(False)


def attack_chunk(
    chunk: Chunk, *, params: Params, amount: float, steps: int, victim: Path, diffusion: Path | None
) -> list[tuple[bytes, bytes, dict]]:
    """Edit one chunk against the victim."""
    placed = [
        SETTINGS[SLUG].arrange(x, mask, np.random.default_rng(params.seed))
        for x, mask in zip(chunk.x, chunk.masks, strict=True)
    ]
    seed = int(np.random.SeedSequence([params.seed, chunk.index]).generate_state(1)[0])
    pictures = render(
        placed,
        chunk.backdrops,
        amount=amount,
        steps=steps,
        prior=load_prior(diffusion, size_px=chunk.x.shape[1]),
        generator=torch.Generator().manual_seed(seed),
        classifier=_victim(victim),
        y=torch.from_numpy(chunk.labels).to(machine().device),
        classifier_scale=params.classifier_scale,
        device=machine().device,
    )
    shares = complexity(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255).tolist()
    return [
        (encode_png(picture), encode_png(one.mask), {"seed": seed, "complexity": round(share, 6), **describe(one)})
        for picture, one, share in zip(pictures, placed, shares, strict=True)
    ]


def run(params: Params, *, edited: Path, victim: Path, folders: Path, adversarial: Out) -> None:
    """Write the adversarial setting with the keys of the other ones."""
    data = read_images(edited, "original")
    settings = json.loads((edited / "edit.json").read_text())
    # only the card is read here: a process that has run torch must not be forked
    labels = victim_labels(data, read_card(victim).classes)
    backdrops = read_backdrops(edited, data.keys)
    amount = SETTINGS[SLUG].direction * settings["amount"]
    work = partial(
        attack_chunk,
        params=params,
        amount=amount,
        steps=settings["steps"],
        victim=victim,
        diffusion=prior_folder(folders, settings["diffusion"]),
    )
    parts = [slice(begin, begin + CHUNK) for begin in range(0, len(data.x), CHUNK)]
    chunks = [
        Chunk(index, data.x[part], data.masks[part], labels[part], backdrops[part]) for index, part in enumerate(parts)
    ]
    done = parallel(work, chunks, what="chunks attacked", workers=None if machine().device == "cpu" else 1)
    about = read_edits(edited, "original")
    adversarial.mkdir(parents=True)
    pictures = []
    for key, (png, mask_png, details) in zip(data.keys, [one for chunk in done for one in chunk], strict=True):
        known = {name: value for name, value in about.loc[key].items() if isinstance(value, str) and value}
        record = {**known, "key": key, "setting": SLUG, "name": NAMES[SLUG], "label": int(about.loc[key, "label"])}
        record |= {"lambda": amount, "steps": settings["steps"], "classifier_scale": params.classifier_scale, **details}
        pictures.append(Picture(png, mask_png, record))
    write_pictures(adversarial, SLUG, pictures)
    pd.DataFrame([picture.record for picture in pictures]).to_parquet(adversarial / "manifest.parquet", index=False)
    write_json(adversarial / "classes.json", data.class_names)
    _write_samples(adversarial, edited, data, rows=params.samples)


def victim_labels(data: Images, classes: list[str]) -> np.ndarray:
    """Translate the data's labels to a model's by the names of the classes.

    Raises:
        DataError: The model does not know a class.
    """
    if lost := [name for name in data.class_names if name not in classes]:
        raise DataError(f"the model must know every class of the data; {lost[0]!r} is missing; trained on other data?")
    return np.array([classes.index(name) for name in data.class_names])[data.labels]


def _write_samples(adversarial: Path, edited: Path, data: Images, *, rows: int) -> None:
    busier, attacked = read_images(edited, "background_complex"), read_images(adversarial, SLUG)
    write_gallery(
        adversarial / "samples",
        title="ImageNet-E: the adversarial background",
        note="The original, the busier background, and the one that also follows the gradient of a classifier.",
        rows=[
            (
                f"{data.class_names[data.labels[place]]} ({data.keys[place]})",
                {"original": data.x[place], "20": busier.x[place], "20-adv": attacked.x[place]},
            )
            for place in spread(len(data.keys), rows)
        ],
    )

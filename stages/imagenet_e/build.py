"""Edit pictures of one object each in ten ways: background, size, position, direction, and the control.

The eleventh, the adversarial background, needs a classifier: `imagenet_e.attack`. Every setting holds the same keys;
a picture that one edit cannot use is in none, and the manifest names it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from gauntlet.errors import DataError
from gauntlet.metrics.imagenet_e import SETTINGS as NAMES
from gauntlet.readers.classification import Images, read_images
from gauntlet.readers.objects import decode, read_backgrounds, read_manifest
from gauntlet.shifts.imagenet_e import SETTINGS, crop_to, render
from gauntlet.shifts.imagenet_e_background import complexity
from gauntlet.shifts.imagenet_e_geometry import Placed
from gauntlet.shifts.imagenet_e_inpainting import inpaint
from stages import Out
from stages import Params as StageParams
from stages.files import write_gallery, write_json
from stages.imagenet_e.prior import edit_device, load_prior, prior_folder
from stages.imagenet_e.shards import Picture, encode_png, write_pictures, write_shards
from stages.machine import parallel

BUILT = [slug for slug, setting in SETTINGS.items() if not setting.adversarial]
NUMBER = {slug: number for number, slug in enumerate(SETTINGS)}
CHUNK = 16
"""Pictures edited side by side; part of the result, as they share their random numbers."""
DESCRIBED = ("coarse", "category", "style", "object", "source", "licence")


class Params(StageParams):
    """What is edited, and how far.

    Attributes:
        seed: Of positions, angles, swapped backgrounds and textures.
        split: Split of the pictures and of the backgrounds for the swap.
        images: How many pictures, from the first; null for all.
        amount: Lambda of the busier background, and minus that of the smoother one (20 in the paper).
        steps: Steps of the edit (the paper: 25 of 100 diffusion steps).
        diffusion: Name in folders.json of a DDPM in diffusers' layout; null for the prior without weights.
        samples: Rows of the gallery.
    """

    seed: int
    split: str
    images: int | None = Field(ge=1)
    amount: float = Field(gt=0)
    steps: int = Field(ge=1)
    diffusion: str | None
    samples: int = Field(ge=0)


@dataclass(frozen=True)
class Chunk:
    """Pictures that are edited together: `others` are the backgrounds for the swap, uint8 as `x`."""

    index: int
    x: np.ndarray
    masks: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class Edited:
    """A chunk's pictures: encoded, by setting and place in the chunk, and why a place is not in them."""

    backdrops: dict[int, bytes]
    settings: dict[str, dict[int, tuple[bytes, bytes, dict]]]
    unusable: dict[int, tuple[str, str]]


def edit_chunk(chunk: Chunk, *, params: Params, folder: Path | None) -> Edited:
    """Make the ten edits of one chunk."""
    placed, unusable = _arrange(chunk, params)
    places = [place for place in range(len(chunk.x)) if place not in unusable]
    if not places:
        return Edited({}, {slug: {} for slug in BUILT}, unusable)
    backdrops = np.stack([inpaint(chunk.x[place], chunk.masks[place]) for place in places])
    prior = load_prior(folder, size_px=chunk.x.shape[1])
    settings = {}
    for slug in BUILT:
        setting, objects = SETTINGS[slug], [placed[slug][place] for place in places]
        seed = int(np.random.SeedSequence([params.seed, chunk.index, NUMBER[slug]]).generate_state(1)[0])
        amount = setting.direction * params.amount
        pictures = render(
            objects,
            chunk.others[places] if setting.swapped else backdrops,
            amount=amount,
            steps=params.steps,
            prior=prior,
            generator=torch.Generator().manual_seed(seed),
            device=edit_device(folder),
        )
        shares = complexity(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255).tolist()
        settings[slug] = {
            place: (
                encode_png(picture),
                encode_png(one.mask),
                {"seed": seed, "lambda": amount, "complexity": round(share, 6), **describe(one)},
            )
            for place, picture, one, share in zip(places, pictures, objects, shares, strict=True)
        }
    return Edited(dict(zip(places, map(encode_png, backdrops), strict=True)), settings, unusable)


def _arrange(chunk: Chunk, params: Params) -> tuple[dict[str, list[Placed | None]], dict[int, tuple[str, str]]]:
    """Place every object for every setting; name the first setting that cannot use it, and why."""
    placed: dict[str, list[Placed | None]] = {slug: [] for slug in BUILT}
    unusable = {}
    for place, (x, mask) in enumerate(zip(chunk.x, chunk.masks, strict=True)):
        for slug in BUILT:
            generator = np.random.default_rng([params.seed, chunk.index, place, NUMBER[slug]])
            one = SETTINGS[slug].arrange(x, mask, generator)
            placed[slug].append(one)
            if one is None:
                unusable.setdefault(place, (slug, "the object cannot be given its share of the frame or leaves it"))
    return placed, unusable


def describe(one: Placed) -> dict[str, object]:
    """Say where an object lies and what was done to it."""
    left, top, right, bottom = one.box_xyxy
    return {
        "scale": round(one.scale, 6),
        "angle_deg": round(one.angle_deg, 6),
        "rate": round(one.rate, 6),
        "left_px": left,
        "top_px": top,
        "right_px": right,
        "bottom_px": bottom,
    }


def run(params: Params, *, images: Path, backgrounds: Path, folders: Path, edited: Out) -> None:
    """Write originals, ten settings, backdrops, manifest and gallery."""
    data = read_images(images, params.split)
    about = read_manifest(images).set_index("key")
    folder = prior_folder(folders, params.diffusion)
    chunks = list(_chunks(data, read_backgrounds(backgrounds, params.split), params))
    work = partial(edit_chunk, params=params, folder=folder)
    done = parallel(work, chunks, what="chunks of pictures", workers=None if edit_device(folder) == "cpu" else 1)
    keys = [
        (number, place)
        for number, chunk in enumerate(chunks)
        for place in range(len(chunk.x))
        if place not in done[number].unusable
    ]
    if not keys:
        raise DataError(f"{images}: some picture must be usable in every setting; none is; objects cut by the frame?")
    edited.mkdir(parents=True)
    rows, shown = _unusable(data, done), {}
    for slug in ("original", *BUILT):
        pictures = []
        for number, place in keys:
            index = number * CHUNK + place
            record = {"key": data.keys[index], "setting": slug, "label": int(data.labels[index])}
            record |= {"class": data.class_names[data.labels[index]], **_about(about, data.keys[index])}
            if slug == "original":
                files = encode_png(data.x[index]), encode_png(data.masks[index])
            else:
                *files, details = done[number].settings[slug][place]
                record |= {"steps": params.steps, **details}
            pictures.append(Picture(*files, record))
            rows.append({**record, "name": NAMES.get(slug, slug), "usable": True, "reason": ""})
        write_pictures(edited, slug, pictures)
        shown[NAMES.get(slug, slug)] = [pictures[place] for place in spread(len(pictures), params.samples)]
    backdrops = [{"__key__": data.keys[n * CHUNK + p], "png": done[n].backdrops[p]} for n, p in keys]
    write_shards(edited, "backdrop", backdrops)
    pd.DataFrame(rows).to_parquet(edited / "manifest.parquet", index=False)
    write_json(edited / "classes.json", data.class_names)
    write_json(edited / "edit.json", {**params.model_dump(mode="json"), "pictures": len(keys)})
    _write_samples(edited, shown)


def _chunks(data: Images, others: list[np.ndarray], params: Params) -> Iterator[Chunk]:
    count = min(len(data.x), params.images or len(data.x))
    for index, begin in enumerate(range(0, count, CHUNK)):
        end = min(begin + CHUNK, count)
        generator = np.random.default_rng([params.seed, index])
        swaps = [others[generator.integers(len(others))] for _ in range(begin, end)]
        crops = [crop_to(other, size=data.x.shape[1:3], generator=generator) for other in swaps]
        yield Chunk(index, data.x[begin:end], data.masks[begin:end], np.stack(crops))


def _unusable(data: Images, done: list[Edited]) -> list[dict]:
    return [
        {
            "key": data.keys[number * CHUNK + place],
            "setting": slug,
            "label": int(data.labels[number * CHUNK + place]),
            "class": data.class_names[data.labels[number * CHUNK + place]],
            "name": NAMES[slug],
            "usable": False,
            "reason": reason,
        }
        for number, chunk in enumerate(done)
        for place, (slug, reason) in chunk.unusable.items()
    ]


def _about(about: pd.DataFrame, key: str) -> dict[str, str]:
    return {field: str(about.loc[key, field]) for field in DESCRIBED if field in about.columns}


def spread(count: int, wanted: int) -> list[int]:
    """Return `wanted` places, or fewer, spread evenly over `count`."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).astype(int)).tolist() if wanted else []


def _write_samples(edited: Path, shown: dict[str, list[Picture]]) -> None:
    write_gallery(
        edited / "samples",
        title="ImageNet-E: ten edits of one object each",
        note="The original first; each edit keeps the object's own pixels, scaled or turned where it says so.",
        rows=[
            (
                f"{row[0].record['class']} ({row[0].record['key']})",
                {
                    label: decode(picture.png, where=f"{picture.record['key']}.png")
                    for label, picture in zip(shown, row, strict=True)
                },
            )
            for row in zip(*shown.values(), strict=True)
        ],
    )

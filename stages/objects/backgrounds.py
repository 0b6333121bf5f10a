"""Background crops at several scales from wallpapers; no wallpaper is in two splits."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import webdataset
from PIL import Image
from pydantic import Field

from gauntlet.metrics.duplicates import deal
from gauntlet.readers.archives import Member, members, origin
from stages import Out, Ratio, Shares
from stages import Params as StageParams
from stages.files import write_gallery
from stages.machine import parallel

WORKING_SIDE_PX = 1600
"""Wallpapers are reduced towards this longest side before they are cropped."""


class Params(StageParams):
    """How many crops of which size."""

    seed: int
    size_px: int = Field(ge=8)
    crops_per_wallpaper: int = Field(ge=1)
    min_width_px: int = Field(ge=1)
    min_contrast: Ratio
    shares: Shares


def wallpapers(archives: list[Path], *, min_width_px: int) -> list[tuple[Member, str]]:
    """Pick one picture of each wallpaper, the smallest that is wide enough, and say under which licence it stands."""
    best: dict[str, tuple[int, Member, str]] = {}
    for archive in archives:
        for member in members(archive):
            suffix = Path(member.name).suffix.lower()
            if suffix not in (".jpg", ".png", ".webp") or "screenshot" in member.name:
                continue
            with Image.open(io.BytesIO(member.data)) as image:
                width = image.width
            title = member.name.partition("/contents/")[0] if "/contents/" in member.name else member.name
            if width >= min_width_px and (title not in best or width < best[title][0]):
                best[title] = width, member, origin(archive).licence
    return [best[title][1:] for title in sorted(best)]


def crops(indexed: tuple[int, Member], *, params: Params) -> list[np.ndarray]:
    """Cut square crops of random scale and place, dropping plain ones."""
    index, member = indexed
    generator = np.random.default_rng([params.seed, index])
    with Image.open(io.BytesIO(member.data)) as image:
        image.draft("RGB", (1280, 800))
        picture = image.convert("RGB")
    picture = picture.reduce(max(1, max(picture.size) // WORKING_SIDE_PX))
    found = []
    for _ in range(4 * params.crops_per_wallpaper):
        side = int(min(picture.size) * np.exp(generator.uniform(np.log(0.3), 0)))
        x = int(generator.integers(0, picture.width - side + 1))
        y = int(generator.integers(0, picture.height - side + 1))
        size, box = (params.size_px, params.size_px), (x, y, x + side, y + side)
        crop = np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=1.5))
        if crop.std() >= 255 * params.min_contrast:
            found.append(crop)
        if len(found) == params.crops_per_wallpaper:
            break
    return found


def run(params: Params, *, gnome: Path, plasma: Path, backgrounds: Out) -> None:
    """Crop every wallpaper and write one shard a split."""
    found = wallpapers([gnome, plasma], min_width_px=params.min_width_px)
    pictures = [member for member, _ in found]
    licences = {member.name: licence for member, licence in found}
    generator = np.random.default_rng(params.seed)
    split = deal({member.name: ["all"] for member in pictures}, shares=params.shares, generator=generator)
    images_of = parallel(partial(crops, params=params), enumerate(pictures), what="wallpapers")
    (backgrounds / "shards").mkdir(parents=True)
    rows = []
    for name in params.shares:
        with webdataset.TarWriter(str(backgrounds / "shards" / f"{name}-0000.tar"), mtime=0) as shard:
            for member, images in zip(pictures, images_of, strict=True):
                for number, image in enumerate(images if split[member.name] == name else []):
                    key = f"{name}-{len(rows):05d}"
                    jpeg = io.BytesIO()
                    Image.fromarray(image).save(jpeg, "JPEG", quality=92, subsampling=0)
                    shard.write({"__key__": key, "jpg": jpeg.getvalue()})
                    rows.append((key, name, member.name, number, licences[member.name]))
    frame = pd.DataFrame(rows, columns=["key", "split", "wallpaper", "crop", "licence"])
    frame.to_parquet(backgrounds / "manifest.parquet", index=False)
    write_gallery(
        backgrounds / "samples",
        title="Backgrounds",
        note="Crops of one wallpaper stay in one split.",
        rows=[
            (f"{split[member.name]}: {member.name}", {f"crop {n}": image for n, image in enumerate(images[:3])})
            for member, images in list(zip(pictures, images_of, strict=True))[:8]
        ],
    )

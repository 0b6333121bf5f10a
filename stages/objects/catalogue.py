"""Join the drawn, rendered and photographed sources into one catalogue of pictures of named things."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gauntlet.errors import DataError
from gauntlet.readers.archives import members, origin


@dataclass(frozen=True)
class Entry:
    """One picture of a thing, not yet rendered.

    Attributes:
        key: Unique name.
        category: The thing.
        coarse: Its coarse class.
        style: "photo", "render", "flat" or "outline".
        source: The package.
        licence: The package's licence, as its archive states it.
        original: Name of the member in the package.
        drawing: Entries of one drawing (its outline, its 3-D version) share it and are never parted.
        data: Encoded PNG, WebP or SVG.
    """

    key: str
    category: str
    coarse: str
    style: str
    source: str
    licence: str
    original: str
    drawing: str
    data: bytes


SVG_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def read_names() -> dict:
    """Read categories.yaml, which says how every source names the things."""
    return yaml.safe_load(Path(__file__).with_name("categories.yaml").read_text())


def slug(text: str) -> str:
    """Return a name in the packages' file names.

    >>> slug("Ear of corn")
    'ear-of-corn'
    """
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


@dataclass(frozen=True)
class Thing:
    """A concept of OpenMoji that belongs to one of the coarse classes."""

    hexcode: str
    annotation: str
    category: str
    coarse: str


def things(metadata: list[dict], names: Mapping) -> list[Thing]:
    """Pick the concepts that are things and give each its category.

    Args:
        metadata: OpenMoji's table.
        names: categories.yaml.
    """
    coarse = {subgroup: name for name, subgroups in names["coarse"].items() for subgroup in subgroups}
    picked = []
    for row in metadata:
        annotation = row["annotation"]
        if row["subgroups"] not in coarse or row["group"].startswith("extras") or annotation in names["not_things"]:
            continue
        category = annotation
        for word in names["strip"]:
            category = category.replace(word, "")
        category = names["rename"].get(category, category)
        picked.append(Thing(row["hexcode"], annotation, category, coarse[row["subgroups"]]))
    return picked


def drawings(sources: Mapping[str, Path], names: Mapping) -> Iterator[Entry]:
    """Yield every drawn and rendered picture of the things, by source.

    Args:
        sources: Archives by name: openmoji, noto, fxemoji, fluent_flat, fluent_3d.
        names: categories.yaml.
    """
    openmoji = {member.name: member.data for member in members(sources["openmoji"])}
    licences = {name: origin(path).licence for name, path in sources.items()}
    noto, noto_names = _iconify(sources["noto"])
    fxemoji, _ = _iconify(sources["fxemoji"])
    flat = {Path(member.name).stem: member.data for member in members(sources["fluent_flat"], "*.svg")}
    solid = {Path(member.name).stem: member.data for member in members(sources["fluent_3d"], "*.webp")}
    for thing in things(_json(openmoji, "data/openmoji.json", archive=sources["openmoji"]), names):
        code = thing.hexcode.lower()
        short = code.replace("-fe0f", "")
        name = slug(thing.annotation)
        candidates = [
            ("openmoji", "flat", f"color/svg/{thing.hexcode}.svg", openmoji, "openmoji"),
            ("openmoji", "outline", f"black/svg/{thing.hexcode}.svg", openmoji, "openmoji"),
            ("noto", "flat", noto_names.get(short, noto_names.get(code, "")), noto, "noto"),
            ("fxemoji", "flat", name.replace("-", ""), fxemoji, "fxemoji"),
            ("fluentui-emoji", "flat", name, flat, "fluent_flat"),
            (
                "fluent-emoji-3d",
                "render",
                next((c for c in (code, short, f"{code}-fe0f") if c in solid), ""),
                solid,
                "fluent_3d",
            ),
        ]
        for source, style, original, pictures, archive in candidates:
            if original in pictures:
                yield Entry(
                    key=f"{source}-{style}-{short}",
                    category=thing.category,
                    coarse=thing.coarse,
                    style=style,
                    source=source,
                    licence=licences[archive],
                    original=original,
                    drawing=f"{archive.partition('_')[0]}-{short}",
                    data=pictures[original],
                )


def _iconify(archive: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return SVG texts by icon name, and icon names by code point."""
    files = {member.name: member.data for member in members(archive, "*.json")}
    icons = _json(files, "icons.json", archive=archive)
    side = icons.get("width", icons.get("height", 16)), icons.get("height", 16)
    texts = {}
    for name, icon in icons["icons"].items():
        width, height = icon.get("width", side[0]), icon.get("height", side[1])
        texts[name] = f'{SVG_HEAD} viewBox="0 0 {width} {height}">{icon["body"]}</svg>'.encode()
    return texts, _json(files, "chars.json", archive=archive)


def _json(files: Mapping[str, bytes], name: str, *, archive: Path) -> Any:
    try:
        return json.loads(files[name])
    except KeyError:
        raise DataError(f"{archive} must hold {name}; it does not; another version, or left out by `keep`?") from None
    except ValueError as error:
        raise DataError(f"{archive}: {name} must be JSON; {error}") from None


def photographs(archive: Path, names: Mapping) -> Iterator[Entry]:
    """Yield the stamps that are photographs of the things.

    Raises:
        DataError: categories.yaml names a stamp that the package does not hold.
    """
    licence = origin(archive).licence
    stamps = {member.name.rpartition("stamps/")[2]: member.data for member in members(archive, "*.png")}
    for coarse, folders in names["photographs"].items():
        for folder, pictures in folders.items():
            for stem, category in pictures.items():
                original = f"{folder}/{stem}.png"
                if original not in stamps:
                    raise DataError(f"{archive} must hold {original}; it does not; another version of the stamps?")
                yield Entry(
                    key=f"stamp-{slug(original.removesuffix('.png'))}",
                    category=category,
                    coarse=coarse,
                    style="photo",
                    source="tuxpaint-stamps-default",
                    licence=licence,
                    original=original,
                    drawing=f"stamp-{slug(original.removesuffix('.png'))}",
                    data=stamps[original],
                )

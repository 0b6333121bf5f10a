"""Galleries: the pictures that a stage left for people, read back, made small and turned into data URIs."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, ValidationError

from gauntlet.errors import DataError

FIRST_ROWS, FIRST_PICTURES = 4, 24
GROUND = (244, 244, 242)
"""Colour behind a transparent picture: light on every page, as many are black outlines."""


class _Picture(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str
    file: str


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    caption: str
    images: list[_Picture]


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    note: str
    rows: list[_Row]


@dataclass(frozen=True)
class Picture:
    """One picture, ready for a page.

    Attributes:
        label: What it is, such as "original" or "sketch".
        uri: `data:` URI of a WebP.
        width: Of the embedded picture, in px.
        height: Of the embedded picture, in px.
    """

    label: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Row:
    """Pictures that belong together, the original first."""

    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """A titled list of rows.

    Attributes:
        name: The data set it shows, such as "coco_o": the folder above `samples`.
        place: Where it lies, as given.
        title: Heading.
        note: How to read it.
        rows: What is shown.
        left_out: Rows that the folder holds beyond these.
    """

    name: str
    place: str
    title: str
    note: str
    rows: tuple[Row, ...]
    left_out: int

    @property
    def widest(self) -> int:
        """Pictures in the longest row."""
        return max((len(row.pictures) for row in self.rows), default=1)

    @property
    def first(self) -> tuple[Row, ...]:
        """Rows that are shown at once: four, or more of short ones."""
        return self.rows[: max(FIRST_ROWS, FIRST_PICTURES // self.widest)]

    @property
    def more(self) -> tuple[Row, ...]:
        """Rows that are shown when asked for."""
        return self.rows[len(self.first) :]


def read_gallery(folder: Path, *, name: str, rows: int, side_px: int, quality: int) -> Gallery:
    """Read `folder`/gallery.json and its pictures.

    Args:
        folder: Holds gallery.json and the files it names.
        name: The data set it belongs to.
        rows: At most so many rows are kept, from the first.
        side_px: The longest side of an embedded picture, in px; larger ones are shrunk.
        quality: Of the WebP, 1 to 100.

    Raises:
        DataError: gallery.json lacks a key, or a file is not a picture inside the folder.
    """
    file = folder / "gallery.json"
    try:
        manifest = _Manifest.model_validate_json(file.read_text())
    except (ValidationError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file} must hold title, note and rows of caption and images (label, file); {_first_line(error)}"
        ) from None
    kept = tuple(
        Row(
            caption=row.caption,
            pictures=tuple(_embed(folder, picture, side_px=side_px, quality=quality) for picture in row.images),
        )
        for row in manifest.rows[:rows]
    )
    return Gallery(
        name=name,
        place=folder.as_posix(),
        title=manifest.title,
        note=manifest.note,
        rows=kept,
        left_out=len(manifest.rows) - len(kept),
    )


def _embed(folder: Path, picture: _Picture, *, side_px: int, quality: int) -> Picture:
    if Path(picture.file).name != picture.file:
        raise DataError(f"{folder}/gallery.json must name files beside it; got {json.dumps(picture.file)}")
    try:
        with Image.open(folder / picture.file) as opened:
            image = opened.convert("RGBA")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{folder / picture.file} must be a whole picture; {_first_line(error)}; truncated?") from None
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    ground = Image.new("RGBA", image.size, (*GROUND, 255))
    buffer = io.BytesIO()
    Image.alpha_composite(ground, image).convert("RGB").save(buffer, "WEBP", quality=quality, method=4)
    uri = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Picture(label=picture.label, uri=uri, width=image.width, height=image.height)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def find_galleries(*roots: Path) -> list[tuple[str, Path]]:
    """List (name, folder) of each gallery under the roots, in order; the name is that of the folder below the root."""
    return [
        (file.relative_to(root).parts[0], file.parent) for root in roots for file in sorted(root.rglob("gallery.json"))
    ]

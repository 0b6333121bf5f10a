"""Files whose bytes depend on their content alone, and the hash that DVC gives them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and a final newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def write_gallery(folder: Path, *, title: str, note: str, rows: list[tuple[str, Mapping[str, object]]]) -> None:
    """Write `folder`/gallery.json and its pictures, for people and for the report.

    Args:
        folder: Usually `<dataset>/samples`; made if missing.
        title: What the gallery shows.
        note: One sentence on how to read it.
        rows: A caption and its pictures by label (uint8 HW, HWC or HWC4 arrays), the original first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number, (caption, pictures) in enumerate(rows):
        images = []
        for label, picture in pictures.items():
            name = f"{number:04d}_{label.replace(' ', '-').replace('/', '-')}.png"
            Image.fromarray(picture).save(folder / name)
            images.append({"label": label, "file": name})
        entries.append({"caption": caption, "images": images})
    write_json(folder / "gallery.json", {"title": title, "note": note, "rows": entries})


def _file_md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def dvc_md5(path: Path) -> str:
    """Return the hash under which DVC caches a file or folder, as dvc.lock states it."""
    if path.is_file():
        return _file_md5(path)
    entries = [
        {"md5": _file_md5(file), "relpath": file.relative_to(path).as_posix()}
        for file in path.rglob("*")
        if file.is_file() and not _ignored(file)
    ]
    entries.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def _ignored(file: Path) -> bool:
    """Say whether .dvcignore leaves a file out."""
    return "__pycache__" in file.parts or file.suffix == ".pyc"

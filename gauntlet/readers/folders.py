"""Find a folder of the user's by the name it has in folders.json, which `raw.folder` writes."""

import json
from pathlib import Path

from gauntlet.errors import DataError


def named_folder(folders: Path, name: str) -> Path:
    """Return the place of a folder.

    Args:
        folders: folders.json: {name: {"path": ..., ...}}.
        name: One of its names.

    Raises:
        DataError: there is no such name, or the folder is no longer there.
    """
    known = json.loads(folders.read_bytes())
    if name not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise DataError(f"{folders}: must hold {name!r}; it has {names} (params.yaml, raw.folder: not entered there?)")
    path = Path(known[name]["path"]).expanduser()
    if not path.is_dir():
        raise DataError(f"{folders}: {name} must be a folder that exists; got {path} (its disk not mounted?)")
    return path

"""taxonomy.json, as s_eval.build writes it."""

import json
from pathlib import Path

from gauntlet.errors import ArgumentError, DataError
from gauntlet.taxonomy import Risk, Taxonomy


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy.

    Args:
        path: JSON, {"risks": [{"path": [...], "definition": ..., "code": ...}, ...]}, parents before their children.

    Raises:
        DataError: It is not of this form.
    """
    try:
        return Taxonomy(
            tuple(
                Risk(tuple(risk["path"]), risk["definition"], risk["code"])
                for risk in json.loads(path.read_bytes())["risks"]
            )
        )
    except (ValueError, KeyError, TypeError, ArgumentError) as error:
        raise DataError(f"{path}: must be a taxonomy as s_eval.build writes it; {error!r}; another file?") from None

"""Readings: the score files and training histories that the report is made from, checked as they are read."""

import json
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from gauntlet.errors import DataError
from stages.summary.methods import METHODS


class Interval(BaseModel):
    """A number and how far it may lie off; rates lie in [0, 1]."""

    model_config = ConfigDict(frozen=True)
    value: float
    low: float
    high: float
    n: int

    @field_validator("value", "low", "high")
    @classmethod
    def _finite(cls, number: float) -> float:
        if not math.isfinite(number):
            raise ValueError(f"must be finite; got {number}")
        return number


class Headline(Interval):
    """The one number that a score is quoted by, with its name and the kind of its interval."""

    name: str
    interval: str = ""


class Score(BaseModel):
    """One score file, as `stages.scores.write_score` writes it."""

    model_config = ConfigDict(frozen=True)
    method: str
    subject: str
    stage: str
    scorer: str
    device: str
    threads: int
    seeds: list[int]
    n: int
    headline: Headline
    results: dict
    params: dict
    inputs: dict[str, str]
    versions: dict[str, str]

    @field_validator("method")
    @classmethod
    def _known(cls, slug: str) -> str:
        known = [method.slug for method in METHODS]
        if slug not in known:
            raise ValueError(f"must be one of {', '.join(known)}; got {slug!r}; a new one needs a row in methods.py")
        return slug

    @property
    def anchor(self) -> str:
        """The id of its provenance block in the page."""
        return f"{self.method}--{self.subject}"


class History(BaseModel):
    """What a training stage recorded: one record an epoch."""

    model_config = ConfigDict(frozen=True)
    method: str
    model: str
    records: list[dict[str, float | int | str | bool | None]]


def reason(error: ValidationError) -> str:
    """Say in half a line where a record is wrong and how."""
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"


def maybe_interval(score: Score, *keys: str) -> Interval | None:
    """Return the interval at `keys` of a score's results, or None where the score says null: not defined there.

    Raises:
        DataError: There is none, or it lacks value, low, high or n.
    """
    here = score.results
    for place, key in enumerate(keys):
        if not isinstance(here, dict) or key not in here:
            raise DataError(
                f"the results of {score.stage} must hold {'.'.join(keys)}; {'.'.join(keys[: place + 1])} is missing"
            )
        here = here[key]
    if here is None:
        return None
    try:
        return Interval.model_validate(here)
    except ValidationError as error:
        raise DataError(
            f"{'.'.join(keys)} in the results of {score.stage} must be value, low, high and n; {reason(error)}"
        ) from None


def interval(score: Score, *keys: str) -> Interval:
    """Return the interval at `keys` of a score's results, which must be defined.

    Raises:
        DataError: There is none.
    """
    found = maybe_interval(score, *keys)
    if found is None:
        raise DataError(f"{'.'.join(keys)} in the results of {score.stage} must be an interval; got null")
    return found


def read_scores(folder: Path) -> list[Score]:
    """Read every score file under `folder`, in the order of the methods and then by subject.

    Raises:
        DataError: A file is not JSON or lacks a key; two files score the same subject.
    """
    found: dict[tuple[str, str], Path] = {}
    scores = []
    for file in sorted(folder.rglob("*.json")):
        if file.name.startswith(".") or file.name == "gallery.json":
            continue
        try:
            score = Score.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise DataError(f"{file} must be a score file; {reason(error)}; another file in this folder?") from None
        other = found.setdefault((score.method, score.subject), file)
        if other != file:
            raise DataError(f"{file} must score a subject of its own; {other} scores {score.subject} too; a copy?")
        scores.append(score)
    order = {method.slug: place for place, method in enumerate(METHODS)}
    return sorted(scores, key=lambda score: (order[score.method], score.subject))


def read_histories(folder: Path) -> list[History]:
    """Read every `<folder>/<method>/<model>/history.json`, in the order of the methods and then by model.

    Raises:
        DataError: A file is not a list of flat records.
    """
    histories = []
    for file in sorted(folder.glob("*/*/history.json")):
        method, model = file.parts[-3:-1]
        try:
            histories.append(History(method=method, model=model, records=json.loads(file.read_text())))
        except (ValidationError, json.JSONDecodeError) as error:
            fault = reason(error) if isinstance(error, ValidationError) else str(error)
            raise DataError(f"{file} must be a list of flat records, one an epoch; {fault}") from None
    order = {method.slug: place for place, method in enumerate(METHODS)}
    return sorted(histories, key=lambda history: (order.get(history.method, len(order)), history.method, history.model))

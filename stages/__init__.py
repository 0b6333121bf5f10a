"""The stages: one module a DVC stage, `Params` in, files out.

A stage module holds a docstring, a `Params` class and `run(params, *, ...) -> None`. The keyword annotations
of `run` are its contract with `stages.__main__`: `Path` is an input that exists, `Out` an output written once,
`str` the variant of a DVC matrix.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PositiveInt

from gauntlet.errors import ArgumentError

Out = Annotated[Path, "output"]
"""A path that `run` writes; the door hands out a temporary place and moves it when `run` returns."""


def parse_ratio(value: object) -> float:
    """Read a number or a fraction such as "8/255".

    >>> parse_ratio("1/4")
    0.25
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    numerator, slash, denominator = value.partition("/") if isinstance(value, str) else ("", "", "")
    try:
        return float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"must be a number or a fraction such as 8/255; got {value!r}") from None


def _inside_unit(value: float) -> float:
    if not 0 <= value <= 1:
        raise ArgumentError(f"must lie in [0, 1] (8/255, not 8); got {value:g}")
    return value


Ratio = Annotated[float, BeforeValidator(parse_ratio), AfterValidator(_inside_unit)]
"""A number in [0, 1], written plainly or as a fraction: a radius on the pixel range, a share, a rate."""


def _in_order(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ArgumentError(f"must be a least and a greatest; got {pair[0]:g}, {pair[1]:g}; the wrong way round?")
    return pair


def _all_splits(value: dict) -> dict:
    if sorted(value) != ["test", "train", "val"]:
        raise ArgumentError(f"must name train, val and test; got {', '.join(map(str, value))}; misspelt?")
    return value


def _whole(shares: dict[str, float]) -> dict[str, float]:
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ArgumentError(f"must sum to 1; got {sum(shares.values()):g}")
    return shares


Span = Annotated[tuple[Ratio, Ratio], AfterValidator(_in_order)]
"""A least and a greatest ratio."""

CountSpan = Annotated[tuple[PositiveInt, PositiveInt], AfterValidator(_in_order)]
"""A least and a greatest count, from 1."""

Shares = Annotated[dict[str, Ratio], AfterValidator(_all_splits), AfterValidator(_whole)]
"""How much of a dataset goes to train, val and test."""

Counts = Annotated[dict[str, PositiveInt], AfterValidator(_all_splits)]
"""How many records train, val and test get."""


class Params(BaseModel):
    """The parameters of one stage: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

"""What a stage asks for: its parameters, inputs, outputs and variant, read off `run`'s signature."""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

import stages
from gauntlet.errors import ArgumentError
from stages import Out, Params


@dataclass(frozen=True)
class Contract:
    """One stage: its dotted name, its module and the keyword arguments of `run` by kind."""

    name: str
    module: ModuleType
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    variant: str | None

    @property
    def flags(self) -> tuple[str, ...]:
        """All arguments, in the order of the signature."""
        return tuple(name for name in inspect.signature(self.module.run).parameters if name != "params")


def names() -> list[str]:
    """List every stage: the modules two levels down that define `run`."""
    found = []
    for package in pkgutil.iter_modules(stages.__path__):
        if package.ispkg:
            folder = Path(package.module_finder.path) / package.name
            for module in pkgutil.iter_modules([str(folder)]):
                if "\ndef run(" in (folder / f"{module.name}.py").read_text():
                    found.append(f"{package.name}.{module.name}")
    return found


def nearest(word: object, known: Iterable[object]) -> str:
    """Say which known word a misspelt one is nearest to; nothing where none is near.

    >>> nearest("sede", ["seed", "images"])
    "; did you mean 'seed'?"
    """
    found = difflib.get_close_matches(str(word), [str(each) for each in known], n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def contract(name: str) -> Contract:
    """Import a stage and read its contract.

    Raises:
        ArgumentError: There is no such stage.
        TypeError: An argument of `run` is neither a Path, an Out nor a variant.
    """
    known = names()
    if name not in known:
        raise ArgumentError(f"the stage must be one of {', '.join(known)}; got {name!r}{nearest(name, known)}")
    module = importlib.import_module(f"stages.{name}")
    arguments = {key: value.annotation for key, value in inspect.signature(module.run).parameters.items()}
    arguments.pop("params")
    variant = [key for key, kind in arguments.items() if kind is str]
    if len(variant) > 1 or any(kind not in (Path, Out, str) for kind in arguments.values()):
        raise TypeError(f"{name}: arguments of run must be Path or Out, and one at most str; got {arguments}")
    return Contract(
        name=name,
        module=module,
        inputs=tuple(key for key, kind in arguments.items() if kind is Path),
        outputs=tuple(key for key, kind in arguments.items() if kind == Out),
        variant=variant[0] if variant else None,
    )


def section(values: Mapping, name: str) -> Mapping:
    """Find a stage's section: `a.b` of params.yaml.

    Raises:
        ArgumentError: There is none, or it is no mapping.
    """
    here: object = values
    for key in name.split("."):
        if not isinstance(here, Mapping) or key not in here:
            hint = nearest(key, here) if isinstance(here, Mapping) else ""
            raise ArgumentError(
                f"params.yaml must have a section {name}; {key!r} is missing; misspelt or dropped?{hint}"
            )
        here = here[key]
    if not isinstance(here, Mapping):
        raise ArgumentError(f"params.yaml, {name}: must be a section ({{}} where it is empty); got {here!r}")
    return here


def variants(stage: Contract, here: Mapping) -> list[str]:
    """List the variants that a stage's section has a part for; none where the section serves them all."""
    if not stage.variant or any(key in stage.module.Params.model_fields for key in here):
        return []
    parts = [key for key, part in here.items() if isinstance(part, Mapping)]
    if parts and (bare := [key for key in here if key not in parts]):
        raise ArgumentError(
            f"params.yaml, {stage.name}.{bare[0]}: must be a part like {parts[0]}; got {here[bare[0]]!r}"
        )
    return parts


def _part(stage: Contract, values: Mapping, variant: str | None) -> Mapping:
    here = section(values, stage.name)
    parts = variants(stage, here)
    if variant is None or not (parts or (not here and stage.module.Params.model_fields)):
        return here
    if variant not in parts:
        raise ArgumentError(
            f"params.yaml, {stage.name}: must have a part for the {stage.variant} {variant!r}; "
            f"got {', '.join(map(str, here)) or 'none'}; misspelt?{nearest(variant, parts)}"
        )
    return here[variant]


def parse(stage: Contract, values: Mapping, *, variant: str | None = None) -> Params:
    """Check a stage's section, or its part for the variant, against its `Params`.

    Raises:
        ArgumentError: One line: which key, what must hold, what came.
    """
    title = stage.name if variant is None else f"{stage.name}.{variant}"
    part = _part(stage, values, variant)
    known = list(stage.module.Params.model_fields)
    try:
        return stage.module.Params.model_validate(part)
    except ValidationError as error:
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        reasons = "; ".join(_reason(fault, known) for fault in faults)
        raise ArgumentError(f"params.yaml, {title}: {reasons}; known keys: {', '.join(known)}") from None


def _reason(fault: Mapping, known: list[str]) -> str:
    place = ".".join(map(str, fault["loc"])) or "the section"
    match fault["type"]:
        case "extra_forbidden":
            hint = nearest(place, known) if len(fault["loc"]) == 1 else ""
            return f"{place} is not a parameter of this stage; misspelt?{hint}"
        case "missing":
            return f"{place} is missing"
        case "value_error":
            return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{place}: {fault['msg']}; got {fault['input']!r}"

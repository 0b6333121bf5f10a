"""What a stage asks for: its parameters, inputs, outputs and variant, read off `run`'s signature."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
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
            folder = Path(stages.__path__[0]) / package.name
            for module in pkgutil.iter_modules([str(folder)]):
                if "\ndef run(" in (folder / f"{module.name}.py").read_text():
                    found.append(f"{package.name}.{module.name}")
    return found


def contract(name: str) -> Contract:
    """Import a stage and read its contract.

    Raises:
        ArgumentError: There is no such stage.
    """
    known = names()
    if name not in known:
        raise ArgumentError(f"the stage must be one of {', '.join(known)}; got {name!r}")
    module = importlib.import_module(f"stages.{name}")
    arguments = {key: value.annotation for key, value in inspect.signature(module.run).parameters.items()}
    arguments.pop("params")
    return Contract(
        name=name,
        module=module,
        inputs=tuple(key for key, kind in arguments.items() if kind is Path),
        outputs=tuple(key for key, kind in arguments.items() if kind == Out),
        variant=next((key for key, kind in arguments.items() if kind is str), None),
    )


def section(values: Mapping, name: str, *, variant: str | None = None) -> Mapping:
    """Find a stage's section: `a.b` of params.yaml, or its part named by the variant where there is one."""
    here = values
    for key in name.split("."):
        if not isinstance(here, Mapping) or key not in here:
            raise ArgumentError(f"params.yaml must have a section {name}; {key!r} is missing; misspelt or dropped?")
        here = here[key]
    if variant is not None and isinstance(here.get(variant), Mapping):
        return here[variant]
    return here


def parse(stage: Contract, values: Mapping, *, variant: str | None = None) -> Params:
    """Check a stage's section against its `Params`.

    Raises:
        ArgumentError: One line: which key, what must hold, what came.
    """
    title = stage.name if variant is None else f"{stage.name} ({variant})"
    try:
        return stage.module.Params.model_validate(section(values, stage.name, variant=variant))
    except ValidationError as error:
        known = ", ".join(stage.module.Params.model_fields)
        raise ArgumentError(
            f"params.yaml, {title}: {'; '.join(map(_reason, error.errors()))}; known keys: {known}"
        ) from None


def _reason(fault: Mapping) -> str:
    place = ".".join(map(str, fault["loc"]))
    match fault["type"]:
        case "extra_forbidden":
            return f"{place} is not a parameter of this stage; misspelt?"
        case "missing":
            return f"{place} is missing"
        case _:
            return f"{place}: {fault['msg'].removeprefix('Value error, ')}; got {fault['input']!r}"

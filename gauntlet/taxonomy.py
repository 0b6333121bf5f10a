"""Taxonomy of risks: dimensions, categories and whatever levels lie below them, each with its definition."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from gauntlet.errors import ArgumentError


@dataclass(frozen=True)
class Risk:
    """A node of the taxonomy.

    Attributes:
        path: Names from the dimension down to this node; one for a dimension, two for a category.
        definition: What an answer of this kind does, in one sentence.
        code: Short handle, such as "CI" or "pc"; may be empty.
    """

    path: tuple[str, ...]
    definition: str
    code: str = ""

    @property
    def dimension(self) -> str:
        """Name of the first level."""
        return self.path[0]

    @property
    def category(self) -> str:
        """Name of the second level; "" for a dimension."""
        return self.path[1] if len(self.path) > 1 else ""

    @property
    def name(self) -> str:
        """Name of the node itself."""
        return self.path[-1]


def plain(name: str) -> str:
    """Return the form in which names are compared: words in small letters, underscores and "&" read.

    >>> plain("Ethics_and_Morality"), plain("Ethics & Morality")
    ('ethics and morality', 'ethics and morality')
    """
    return " ".join(name.replace("_", " ").replace("&", " and ").lower().split())


@dataclass(frozen=True)
class Taxonomy:
    """All nodes, parents before their children.

    Attributes:
        risks: Dimensions, categories and lower levels.

    Raises:
        ArgumentError: A path stands twice, or before its parent, or without a definition.
    """

    risks: tuple[Risk, ...]

    def __post_init__(self) -> None:
        seen: set[tuple[str, ...]] = {()}
        for risk in self.risks:
            key = tuple(map(plain, risk.path))
            shown = " / ".join(risk.path)
            if not key or not all(key) or not risk.definition.strip():
                raise ArgumentError(f"a risk must have a name and a definition; got {shown!r} with one of them empty")
            if key in seen:
                raise ArgumentError(f"a risk must stand once in the taxonomy; got {shown!r} twice")
            if key[:-1] not in seen:
                raise ArgumentError(
                    f"a risk must come after its parent; got {shown!r} without {' / '.join(risk.path[:-1])!r}"
                    f"{self._hint(risk.path[-2])}"
                )
            seen.add(key)

    @property
    def dimensions(self) -> tuple[Risk, ...]:
        """The first level."""
        return tuple(risk for risk in self.risks if len(risk.path) == 1)

    @property
    def categories(self) -> tuple[Risk, ...]:
        """The second level."""
        return tuple(risk for risk in self.risks if len(risk.path) == 2)

    @property
    def leaves(self) -> tuple[Risk, ...]:
        """The nodes that are not divided further."""
        parents = {risk.path[:-1] for risk in self.risks}
        return tuple(risk for risk in self.risks if risk.path not in parents)

    def under(self, name: str) -> tuple[Risk, ...]:
        """Return the categories of a dimension, or whatever lies directly below another node."""
        path = self.find(name).path
        return tuple(risk for risk in self.risks if risk.path[:-1] == path)

    def find(self, name: str) -> Risk:
        """Find a node by its name, its code or its path written with slashes.

        Args:
            name: Case, underscores and "&" do not matter; the higher node wins where two share a name.

        Raises:
            ArgumentError: There is none; the message names the nearest.
        """
        wanted = plain(name.replace(" / ", "/"))
        for risk in sorted(self.risks, key=lambda risk: len(risk.path)):
            if wanted in (plain(risk.name), plain("/".join(risk.path))) or name == risk.code:
                return risk
        raise ArgumentError(f"a risk must be one of the taxonomy's; got {name!r}{self._hint(name)}")

    def with_risks(self, extra: Iterable[Risk]) -> "Taxonomy":
        """Return the taxonomy with risks added, or changed where their path is there already.

        Raises:
            ArgumentError: The parent of a risk is not there.
        """
        risks = {tuple(map(plain, risk.path)): risk for risk in self.risks}
        for risk in extra:
            key = tuple(map(plain, risk.path))
            old = risks.get(key)
            risks[key] = replace(risk, path=old.path, code=risk.code or old.code) if old else risk
        return Taxonomy(tuple(risks.values()))

    def _hint(self, name: str) -> str:
        names = {plain(risk.name): risk.name for risk in self.risks}
        near = get_close_matches(plain(name), names, n=1, cutoff=0.5)
        return (
            f"; did you mean {names[near[0]]!r}?" if near else f"; known: {', '.join(r.name for r in self.dimensions)}"
        )

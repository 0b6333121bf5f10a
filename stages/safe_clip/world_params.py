"""What the small world of SAFE is made of: the corpus, the few-shot sets and their shifted versions."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from gauntlet.errors import ArgumentError
from stages import Counts, Ratio, Span
from stages import Params as StageParams

Style = Literal["photo", "render", "flat", "outline"]


class CorpusParams(StageParams):
    """Make-up of the corpus.

    Attributes:
        pictures: How many.
        names: How many named things it knows: those of the sets, then those of most cut-outs.
        styles: Of its cut-outs, all of the split train.
        pairs: Share of pictures with two things.
        scale: Of the things, as a share of the picture.
    """

    pictures: PositiveInt
    names: PositiveInt
    styles: list[Style]
    pairs: Ratio
    scale: Span


class OthersParams(StageParams):
    """Things beside the labelled one.

    Attributes:
        most: Of them in a picture; from 1 to so many.
        coarse: Their coarse classes, none of which a label names.
        scale: As a share of the picture.
    """

    most: PositiveInt
    coarse: list[str] = Field(min_length=1)
    scale: Span


class SetParams(StageParams):
    """Make-up of one few-shot set.

    Attributes:
        level: What its labels name: a named thing ("category"), a coarse class, or the background's colour.
        classes: The names.
        styles: Of its cut-outs.
        images: Pictures a class and split.
        scale: Of the labelled thing, as a share of the picture.
        others: What else is there; null for nothing.
    """

    level: Literal["category", "coarse", "colour"]
    classes: list[str] = Field(min_length=2)
    styles: list[Style]
    images: Counts
    scale: Span
    others: OthersParams | None


class TargetParams(StageParams):
    """Shifted versions of one set: its classes in other styles, test pictures only.

    Attributes:
        source: The set.
        styles: One target each, named "<source>-<style>".
        images: Test pictures a class.
    """

    source: str
    styles: list[Style]
    images: PositiveInt


class Params(StageParams):
    """The world.

    Attributes:
        size_px: Side of all pictures.
        withheld: Share of the drawn hands of each thing in a set's classes that the corpus never sees: shots come from
            them alone.
        corpus: What CLIP is pre-trained on.
        sets: By name.
        targets: For domain generalisation.
    """

    seed: int
    size_px: int = Field(ge=16)
    withheld: Ratio
    corpus: CorpusParams
    sets: dict[str, SetParams]
    targets: TargetParams

    @model_validator(mode="after")
    def _source_is_a_set(self) -> "Params":
        if self.targets.source not in self.sets:
            raise ArgumentError(f"targets.source must be one of {', '.join(self.sets)}; got {self.targets.source!r}")
        return self

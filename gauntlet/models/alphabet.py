"""Symbols of a CTC recogniser, letters or phonemes: to class indices and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from torch import Tensor

from gauntlet import transcripts
from gauntlet.errors import ArgumentError

LETTERS = tuple(transcripts.LETTERS)
BLANK = 0


@dataclass(frozen=True)
class Alphabet:
    """Symbols 1..S of S + 1 classes; class 0 is CTC's blank.

    Where each symbol is one character a text is read character by character; otherwise (phonemes) symbols stand
    between spaces.

    Attributes:
        symbols: All different; none empty.

    Raises:
        ArgumentError: A symbol is empty, stands twice, or holds a space among longer ones.
    """

    symbols: tuple[str, ...] = LETTERS

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) < len(self.symbols) or "" in self.symbols:
            raise ArgumentError(f"symbols must be different and not empty; got {self.symbols}; one listed twice?")
        if not self.by_letter and any(" " in symbol for symbol in self.symbols):
            raise ArgumentError("a space parts phonemes, so that none may hold one; got one that does; letters meant?")

    def __len__(self) -> int:
        return len(self.symbols) + 1

    @property
    def by_letter(self) -> bool:
        """Whether each symbol is one character."""
        return all(len(symbol) == 1 for symbol in self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the classes of a text's symbols.

        Raises:
            ArgumentError: The text is empty or holds a symbol that is not in the alphabet.
        """
        places = {symbol: place for place, symbol in enumerate(self.symbols, 1)}
        parts = list(text) if self.by_letter else text.split()
        if unknown := [part for part in parts if part not in places]:
            raise ArgumentError(f"texts must hold known symbols; got {unknown[0]!r} in {text!r}; not normalised?")
        if not parts:
            raise ArgumentError("texts must hold at least one symbol; got an empty one; a silent clip?")
        return [places[part] for part in parts]

    def decode(self, classes: Sequence[int]) -> str:
        """Return the text of a path of classes: repeats joined, blanks dropped, spaces single."""
        kept = [self.symbols[place - 1] for place, _ in groupby(classes) if place != BLANK]
        return " ".join(("" if self.by_letter else " ").join(kept).split())

    def frames_needed(self, text: str) -> int:
        """Return the fewest frames CTC can write a text in: one a symbol, and a blank between equal neighbours."""
        classes = self.encode(text)
        return len(classes) + sum(before == after for before, after in pairwise(classes))

    def targets(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the classes of all texts, int64 B x N padded with the blank, and their numbers, int64 [B]."""
        rows = [torch.tensor(self.encode(text)) for text in texts]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])

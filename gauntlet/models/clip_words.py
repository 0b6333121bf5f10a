"""The small CLIP's tokenizer: whole words of its own captions."""

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError

PADDING, UNKNOWN, START = range(3)


def split_words(text: str) -> list[str]:
    """Split a text into lower-case words and numbers.

    >>> split_words("A photo of a T-shirt.")
    ['a', 'photo', 'of', 'a', 't', 'shirt']
    """
    return re.findall(r"[a-z0-9]+", text.lower())


def vocabulary(captions: Iterable[str]) -> list[str]:
    """Return the words of all captions, sorted."""
    return sorted({word for caption in set(captions) for word in split_words(caption)})


class Words:
    """From texts to token ids: start, one id a word (1 for an unknown one), end, then zeros.

    The end has the highest id of all, which is how CLIP's text tower finds it.

    Attributes:
        words: In the order of their ids, from 3.
        context: Tokens in all, start and end included.
    """

    def __init__(self, words: Sequence[str], *, context: int) -> None:
        if context < 3:
            raise ArgumentError(f"context must hold start, a word and end; got {context}")
        if not words or len(set(words)) < len(words):
            raise ArgumentError(f"words must be some, each once; got {len(words)} with {len(set(words))} distinct")
        self.words = list(words)
        self.context = context
        self._ids = {word: number for number, word in enumerate(words, START + 1)}

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self.words) + START + 2

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return int64 ids, N x context.

        Raises:
            ArgumentError: A text has more words than fit.
        """
        tokens = torch.zeros(len(texts), self.context, dtype=torch.int64)
        for row, text in zip(tokens, texts, strict=True):
            ids = [START, *(self._ids.get(word, UNKNOWN) for word in split_words(text)), len(self) - 1]
            if len(ids) > self.context:
                raise ArgumentError(f"a text must have at most {self.context - 2} words; got {len(ids) - 2}: {text!r}")
            row[: len(ids)] = torch.tensor(ids)
        return tokens

    def knows(self, text: str) -> bool:
        """Say whether at least one word of a text is known."""
        return any(word in self._ids for word in split_words(text))

"""What a text attack takes beside the prompt, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

Rewrite = Callable[[str, str], str]


class Demonstration(NamedTuple):
    """One answered prompt, shown to the victim before the prompt itself."""

    prompt: str
    response: str


@dataclass(frozen=True)
class Inputs:
    """What the caller brings; each attack takes what it needs.

    Attributes:
        demonstrations: Answered prompts for in_context_attack and chain_of_utterances.
        shots: How many of them one attacked prompt shows, at least 1.
        wrappers: Templates with the slot `{prompt}` for instruction_jailbreak; without any, generic ones serve.
        parent: Text that instruction_encryption_paper encodes, in S-Eval the Chinese parent; "" for the prompt.
        rewrite: Testing model, `(attack, prompt) -> text`; without it, or where it gives nothing new, an attack that
            needs it falls back on a template and says so in its settings.
    """

    demonstrations: tuple[Demonstration, ...] = ()
    shots: int = 3
    wrappers: tuple[str, ...] = ()
    parent: str = ""
    rewrite: Rewrite | None = None


@dataclass(frozen=True)
class Attacked:
    """An attacked prompt.

    Attributes:
        prompt: What the victim is asked, one user turn.
        attack: Name of the attack.
        settings: What was drawn: template, cipher, shift, number of parts; `fallback` where a model was needed and
            none served.
    """

    prompt: str
    attack: str
    settings: Mapping[str, str | int | bool] = field(default_factory=lambda: MappingProxyType({}))


class TextAttack(Protocol):
    """A text attack: all randomness from `generator`, everything else from `inputs`."""

    def __call__(self, prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
        """Attack one prompt."""
        ...

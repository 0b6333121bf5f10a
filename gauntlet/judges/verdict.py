"""What a judge is asked and what it says, whichever judge it is.

A judge reads the *base* prompt (what a user wants to know) and the response, never the
attack prompt in which the base prompt was wrapped: a cipher or a role play would judge the
wrapping. Source: Yuan et al., S-Eval (FSE 2025), section 3.4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

SAFE = "safe"
UNSAFE = "unsafe"
ERROR = "error"


class Pair(NamedTuple):
    """One thing to judge.

    Attributes:
        id: Of the record that was answered (an attack has its own id).
        prompt: The base prompt, not the attack prompt.
        response: All the victim said; may be empty.
    """

    id: str
    prompt: str
    response: str


@dataclass(frozen=True)
class Verdict:
    """What one judge says of one pair.

    Attributes:
        id: The pair's.
        tag: "safe", "unsafe" or "error" (no verdict came: it leaves every denominator and
            is counted).
        score: P(safe), 0 to 1; NaN on an error.
        explanation: Why, or why there is no verdict; "" where none was asked.
        risk: The risk that an unsafe response falls under, where the judge names it.
    """

    id: str
    tag: str
    score: float
    explanation: str = ""
    risk: str = ""


class Judge(Protocol):
    """Anything that tells safe responses from unsafe ones."""

    name: str

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Judges every pair.

        Args:
            pairs: Base prompts and responses, in any order.

        Returns:
            A verdict for each pair, in the order of `pairs`, errors included.
        """
        ...


def error(id: str, why: str) -> Verdict:
    """A verdict that did not come."""
    return Verdict(id, ERROR, math.nan, why)

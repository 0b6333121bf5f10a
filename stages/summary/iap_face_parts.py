"""What IAP's figures share: manipulators and methods in order, views and how all are written."""

from collections.abc import Iterable
from dataclasses import dataclass

from stages.summary.face_results import MESSAGE, Manipulated, Message, manipulated, message
from stages.summary.figures import THIN, percent, span, words
from stages.summary.readings import Interval, Score

NAMES = {
    "iap": "IAP", "pgd": "PGD", "watermark_then_pgd": "watermark, then PGD",
    "pgd_then_watermark": "PGD, then watermark", "message_only": "message only",
    "disruption_only": "disruption only",
    "stargan": "StarGAN style", "attgan": "AttGAN style", "attention": "AttentionGAN style",
}  # fmt: skip
"""Methods in the order that gives each its colour, then manipulators."""
OURS, RIVAL = "iap", "pgd"


@dataclass(frozen=True)
class Found:
    """All that was scored: results by manipulator, white boxes first, and what is read back."""

    manipulators: dict[str, Manipulated]
    message: Message | None


def gathered(scores: list[Score]) -> Found:
    """Read the scores of the method.

    Raises:
        DataError: A key is missing or of another kind.
    """
    by_name = {score.subject: score for score in scores}
    read = by_name.pop(MESSAGE, None)
    found = {name: manipulated(score) for name, score in by_name.items()}
    ordered = sorted(found, key=lambda name: (not found[name].white_box, name))
    return Found({name: found[name] for name in ordered}, message(read) if read else None)


def said(name: str) -> str:
    """Write the name of a method or manipulator."""
    return NAMES.get(name) or words(name)


def in_order(methods: Iterable[str]) -> list[str]:
    """Sort methods as `NAMES` has them, others behind."""
    known = list(NAMES)
    return sorted(methods, key=lambda name: (known.index(name) if name in known else len(known), name))


def box(name: str, found: Manipulated) -> str:
    """Write a manipulator with what is known of it."""
    return f"{said(name)} ({'white box' if found.white_box else 'held out'})"


def view(name: str) -> str:
    """Write a view: what happens to the protected picture, in its order.

    >>> view("both:jpeg_75+stargan"), view("distorted:blur"), view("protected")
    ('JPEG 75, StarGAN style', 'blur', 'protected')
    """
    _, _, steps = name.rpartition(":")
    return ", ".join(said(step) for step in steps.split("+"))


def ends(rate: Interval) -> dict:
    """Write the ends of a rate as a row of a chart takes them."""
    return {"low": percent(rate.low), "high": percent(rate.high), "range": span(rate.low, rate.high), "n": rate.n}


def whole(rate: Interval) -> str:
    """Write a rate with its interval."""
    return f"{100 * rate.value:.1f}{THIN}% {span(rate.low, rate.high)}"


def plain(rate: Interval | None, decimals: int) -> str:
    """Write a number that is no rate with its interval; nothing where it is not defined."""
    return f"{rate.value:.{decimals}f} [{rate.low:.{decimals}f}, {rate.high:.{decimals}f}]" if rate else ""

"""Every suite that fits the model, one after the other, each with a line on stderr; and why another does not fit."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gauntlet.attacks.survival import right_in_batches
from gauntlet.suites import SUITES, Outcomes, Plan, fits
from gauntlet.suites.classifier import pixels
from gauntlet.suites.outcomes import merged
from stages.audit.detection import Detected, detection
from stages.audit.edits import Edited, edits, lacking
from stages.audit.request import DETECTION, EDITS, Request
from stages.audit.subject import Subject, batch_of

UNASKED = "not asked for"
POINTS = 32
"""Of each curve, as ARES-Bench's here."""


@dataclass(frozen=True)
class Findings:
    """What the suites found.

    Attributes:
        outcomes: Of a classifier's suites, on each picture.
        edited: ImageNet-E, or None.
        detected: COCO-O, or None.
        left_out: Why, by suite.
    """

    outcomes: Outcomes | None = None
    edited: Edited | None = None
    detected: Detected | None = None
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether no suite fitted."""
        return (self.outcomes, self.edited, self.detected) == (None, None, None)


def plan_of(request: Request, subject: Subject) -> Plan:
    """Return how a classifier is tried: as ARES-Bench does here, at the budget it was trained against, where known."""
    shown, trained = subject.shown, subject.trained
    return Plan(
        seed=request.seed,
        batch=batch_of(subject.pictures),
        eps=request.eps or (trained and trained["eps"]) or shown.eps,
        budgets={
            norm: tuple(largest * place / POINTS for place in range(1, POINTS + 1))
            for norm, largest in shown.largest.items()
        },
    )


def try_all(request: Request, subject: Subject, *, scratch: Path) -> Findings:
    """Run every suite asked for that fits.

    Args:
        request: What was asked for.
        subject: The model.
        scratch: An empty folder for what the detection suite leaves.
    """
    reasons = {name: UNASKED for name in (*SUITES, EDITS, DETECTION) if name not in request.suites}
    if subject.detector:
        reasons |= {
            name: "tries classifiers; this model is a detector" for name in (*SUITES, EDITS) if name not in reasons
        }
        detected = None
        if DETECTION not in reasons:
            with _announced(DETECTION):
                detected = detection(request, subject, scratch=scratch)
        return Findings(detected=detected, left_out=_said(reasons))
    reasons.setdefault(DETECTION, "tries detectors; this model is a classifier")
    outcomes = _classified(request, subject, reasons)
    if reason := reasons.get(EDITS) or lacking(subject.card.classes):
        return Findings(outcomes, left_out=_said(reasons | {EDITS: reason}))
    with _announced(EDITS):
        edited = edits(subject, seed=request.seed)
    return Findings(outcomes, edited, left_out=_said(reasons))


def _classified(request: Request, subject: Subject, reasons: dict[str, str]) -> Outcomes | None:
    """Run the classifier's suites; add to `reasons` those that do not fit."""
    plan, x, y = plan_of(request, subject), subject.pictures, subject.labels
    reasons |= {name: reason for name in SUITES if name not in reasons and (reason := fits(name, x))}
    chosen = {name: suite for name, suite in SUITES.items() if name not in reasons}
    if not chosen:
        return None
    clean = right_in_batches(subject.model, pixels(x), y, batch=plan.batch).cpu().numpy().astype(bool)
    parts = [Outcomes({"clean": clean})]
    for name, suite in chosen.items():
        with _announced(name):
            parts.append(suite(subject.model, x, y, plan=plan))
    return merged(parts)


@contextmanager
def _announced(suite: str) -> Iterator[None]:
    print(f"audit: {suite} ...", file=sys.stderr, flush=True)
    begin = time.monotonic()
    yield
    print(f"audit: {suite}, {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)


def _said(reasons: dict[str, str]) -> dict[str, str]:
    for name, reason in reasons.items():
        if reason != UNASKED:
            print(f"audit: {name} is left out: {reason}", file=sys.stderr, flush=True)
    return reasons


def rates(outcomes: Outcomes) -> dict[str, np.ndarray]:
    """Return the outcomes that are right or wrong, by key."""
    return {key: right for key, right in outcomes.values.items() if not key.startswith("radius/")}

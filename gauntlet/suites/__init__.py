"""Batteries of tests on one classifier, as outcomes an image; `summary` makes curves, rates and intervals of them."""

from gauntlet.suites.classifier import SUITES, fits
from gauntlet.suites.ood import ood_summary
from gauntlet.suites.outcomes import Outcomes
from gauntlet.suites.plan import Plan
from gauntlet.suites.summary import summary
from gauntlet.suites.transfer import transfers

__all__ = ["SUITES", "Outcomes", "Plan", "fits", "ood_summary", "summary", "transfers"]

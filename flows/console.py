"""What a person sees while the flow runs: a line when a stage starts, its own lines, a line when it ends, a table."""

import os
import sys
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.runner import DVC_SPEAKS, Outcome

STYLES = {"ran": "green", "restored": "cyan", "skipped": "dim", "failed": "bold red", "blocked": "yellow"}


def console() -> Console:
    """Return a console on standard output, at least 100 columns wide where nobody watches."""
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", 120))
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=True)


def started(stage: str) -> None:
    """Say that a stage starts."""
    console().print(Text.assemble(("> ", "bold blue"), stage))


def line(stage: str, text: str) -> None:
    """Pass on one line of a stage; what DVC says about its own work is left to the log."""
    if not DVC_SPEAKS.match(text):
        console().print(Text.assemble((f"{stage} | ", "dim"), Text.from_ansi(text)))


def ended(outcome: Outcome) -> None:
    """Say how a stage ended, after how long, and if it failed with what code and last word."""
    text = Text.assemble(
        ("= ", "bold blue"),
        f"{outcome.stage} ",
        (outcome.result, STYLES[outcome.result]),
        f" in {outcome.seconds:.1f} s",
    )
    if outcome.result == "failed":
        text.append(f", exit {outcome.exit_code}: {outcome.reason}")
    console().print(text)


def summary(outcomes: Iterable[Outcome], blocked: Mapping[str, str]) -> None:
    """Print the table of everything that was due."""
    table = Table(box=None, pad_edge=False)
    for column, justify in (("stage", "left"), ("result", "left"), ("seconds", "right"), ("exit", "right")):
        table.add_column(column, justify=justify)
    table.add_column("", overflow="fold")
    for outcome in outcomes:
        reason = outcome.reason if outcome.result == "failed" else ""
        result = Text(outcome.result, STYLES[outcome.result])
        table.add_row(outcome.stage, result, f"{outcome.seconds:.1f}", str(outcome.exit_code), Text(reason))
    for stage, above in blocked.items():
        table.add_row(stage, Text("blocked", STYLES["blocked"]), "", "", f"waits for {above}")
    console().print(table)

"""A progress bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

QUIET_SECONDS = 5.0
"""The least time between two lines in a log."""


def track(items: Iterable[Item], *, what: str, total: int | None = None) -> Iterator[Item]:
    """Pass `items` on and show how many are done, the rate and the time left.

    Args:
        items: What is worked on, one at a time.
        what: The noun shown, such as "images".
        total: How many there are, where `items` does not know its length.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        yield from _bar(items, what=what, total=total)
    else:
        yield from _lines(items, what=what, total=total)


def _bar(items: Iterable[Item], *, what: str, total: int | None) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total, rate="")
        for item in items:
            yield item
            speed = progress.tasks[0].speed
            progress.update(task, advance=1, rate=f"{speed:.1f}/s" if speed else "")


def _lines(items: Iterable[Item], *, what: str, total: int | None) -> Iterator[Item]:
    begin = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= QUIET_SECONDS:
            last = now
            print(progress_line(what, done, total=total, seconds=now - begin), file=sys.stderr, flush=True)


def progress_line(what: str, done: int, *, total: int | None, seconds: float) -> str:
    """Say how far the work is.

    >>> progress_line("images", 50, total=200, seconds=10.0)
    'images 50/200, 5.0/s, 30 s left'
    """
    rate = done / max(seconds, 1e-9)
    if total is None:
        return f"{what} {done}, {rate:.1f}/s"
    return f"{what} {done}/{total}, {rate:.1f}/s, {(total - done) / rate:.0f} s left"

"""Deal stages out to lanes: only when their parents are done, the longest remaining chain first."""

from collections.abc import Iterable

from flows.plan import Record

SECONDS = 10.0  # of a stage whose meta says nothing


def remaining_seconds(records: Iterable[Record]) -> dict[str, float]:
    """Return for each stage the seconds of the longest chain from its start to the end of the plan.

    Args:
        records: Parents before children, as `plan` gives them.

    >>> record = Record("a", (), True, {"seconds": 5}, (), ())
    >>> remaining_seconds([record, record._replace(stage="b", parents=("a",), meta={})])
    {'b': 10.0, 'a': 15.0}
    """
    below: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for record in reversed(list(records)):
        seconds[record.stage] = _seconds(record) + below.get(record.stage, 0.0)
        for parent in record.parents:
            below[parent] = max(below.get(parent, 0.0), seconds[record.stage])
    return seconds


def _seconds(record: Record) -> float:
    variant = record.stage.partition("@")[2]
    return float(record.meta.get("seconds_of", {}).get(variant, record.meta.get("seconds", SECONDS)))


class Board:
    """What is still to do, what is in hand, and what a failure has put out of reach."""

    def __init__(self, records: Iterable[Record]) -> None:
        """Lay out `records`, parents before children."""
        self._order = tuple(records)
        seconds = remaining_seconds(self._order)
        self._waiting = {record.stage: record for record in sorted(self._order, key=lambda r: -seconds[r.stage])}
        self._open = set(self._waiting)  # not yet done: a parent outside the plan is up to date
        self.in_hand: dict[str, Record] = {}
        self.blocked: dict[str, str] = {}  # stage -> the failed stage above it

    def take(self, *, gpu_free: bool = True) -> Record | None:
        """Return the ready stage with the longest chain behind it, or None when none is ready."""
        for record in self._waiting.values():
            ready = not any(parent in self._open for parent in record.parents)
            if ready and (gpu_free or not record.meta.get("gpu")):
                self.in_hand[record.stage] = self._waiting.pop(record.stage)
                return record
        return None

    def done(self, stage: str, *, ok: bool) -> None:
        """Take `stage` off the board; after a failure nothing below it is dealt any more."""
        del self.in_hand[stage]
        if ok:
            self._open.discard(stage)
            return
        lost = {stage}
        for record in self._order:
            if record.stage in self._waiting and lost.intersection(record.parents):
                lost.add(record.stage)
                self.blocked[record.stage] = stage
                del self._waiting[record.stage]

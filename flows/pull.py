"""The flow `pull`: fetch named datasets, models or whole methods from the DVC remote into the working folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows.leash import dvc
from flows.plan import Record, UnknownTarget, plan


class PullError(RuntimeError):
    """DVC could not fetch something."""


def paths_of(names: Sequence[str], records: Iterable[Record]) -> list[str]:
    """Return the cached outputs that `names` mean.

    Args:
        names: Paths (`data/built/scenes`), their last parts (`scenes`), stages (`coco_o-train@fcos`),
            matrix groups or methods (`coco_o`); empty means everything.
        records: The plan.

    Raises:
        UnknownTarget: A name means nothing.
    """
    outs = {out: record.stage for record in records for out in record.outs if out not in record.loose}
    found: set[str] = set()
    for name in names:
        path = name.rstrip("/")
        meant = {
            out
            for out, stage in outs.items()
            if path in (out, PurePosixPath(out).name, stage) or stage.startswith((f"{path}@", f"{path}-"))
        }
        if not meant:
            known = ", ".join(sorted({PurePosixPath(out).name for out in outs})[:12])
            raise UnknownTarget(f"a dataset must be an output of dvc.yaml; got {name!r}; there are {known}")
        found |= meant
    return sorted(found)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=exponential_backoff(2), retry_jitter_factor=0.5)
def fetch(paths: list[str], remote: str | None) -> None:
    """Run `dvc pull` on the paths; DVC checks each object's hash."""
    named = ["--remote", remote] if remote else []
    ended = dvc(["pull", *named, *paths], root=Path.cwd(), on_line=get_run_logger().info)
    if ended.exit_code:
        raise PullError(f"`dvc pull` must work; it says: {ended.lines[-1] if ended.lines else ended.exit_code}")


@flow
def pull(datasets: list[str] | None = None, remote: str | None = None) -> list[str]:
    """Fetch `datasets` (none means all) and return their paths."""
    paths = paths_of(datasets or [], plan(root=Path.cwd()))
    fetch(paths, remote)
    return paths

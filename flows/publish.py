"""The flow `publish`: push data and run cache, see that the remote lacks nothing, then set the tag.

A tag is a promise that `dvc get --rev TAG` and `dvc import --rev TAG` work; so it comes last, and only when
dvc.lock, the params and the scores are committed.
"""

import json
import subprocess
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows.leash import Ended, dvc

COMMITTED = ("dvc.lock", "dvc.yaml", "params.yaml", "data")


class PublishError(RuntimeError):
    """Something must be put right before this state of the repository can be published."""


def git(*argv: str, root: Path) -> str:
    """Return what `git ARGV` says.

    Raises:
        PublishError: git refused; its own words.
    """
    done = subprocess.run(["git", *argv], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise PublishError(f"`git {' '.join(argv)}` must work; it says: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def check_tag(tag: str, *, root: Path) -> None:
    """Check, before hours of pushing, that the tag can be set at all.

    Raises:
        PublishError: The name is no tag name, another commit has it, or there are uncommitted results.
    """
    if subprocess.run(["git", "check-ref-format", f"refs/tags/{tag}"], cwd=root).returncode or tag.startswith("-"):
        raise PublishError(f"tag must be a git tag name such as v1.0; got {tag!r}")
    head, existing = git("rev-parse", "HEAD", root=root), git("tag", "--list", tag, root=root)
    if existing and git("rev-parse", f"{tag}^{{commit}}", root=root) != head:
        raise PublishError(f"tag must be new or name this commit; {tag} names another; choose the next version")
    changed = git("status", "--porcelain", "--", *COMMITTED, root=root)
    if changed:
        raise PublishError(f"results must be committed before they are tagged; git status shows: {changed.split()[1]}")


def missing(ended: Ended) -> list[str]:
    """Return what `dvc data status --not-in-remote --json` reports as absent from the remote or from here.

    Raises:
        PublishError: DVC could not tell.
    """
    if ended.exit_code:
        raise PublishError(f"DVC must be able to look at the remote; it says: {ended.lines[-1] if ended.lines else ''}")
    status = json.loads(next((line for line in ended.lines if line.startswith("{")), "{}"))
    return sorted({*status.get("not_in_remote", ()), *status.get("not_in_cache", ())})


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=exponential_backoff(2), retry_jitter_factor=0.5)
def push(remote: str | None) -> None:
    """Push every object that dvc.lock names, and the run cache."""
    named = ["--remote", remote] if remote else []
    ended = dvc(["push", "--run-cache", *named], root=Path.cwd(), on_line=get_run_logger().info)
    if ended.exit_code:
        raise PublishError(f"`dvc push` must work; it says: {ended.lines[-1] if ended.lines else ended.exit_code}")


@task(cache_policy=NO_CACHE)
def verify(remote: str | None) -> None:
    """See that nothing is missing on the remote."""
    named = ["--remote", remote] if remote else []
    lacking = missing(dvc(["data", "status", "--not-in-remote", "--json", *named], root=Path.cwd()))
    if lacking:
        raise PublishError(
            f"the remote must hold everything; it lacks {', '.join(lacking[:5])} ({len(lacking)} in all)"
        )


@flow
def publish(tag: str | None = None, remote: str | None = None) -> str:
    """Push, verify and tag.

    Args:
        tag: The git tag to set on this commit; none sets none.
        remote: A DVC remote; none means the default one, `storage`.
    """
    root = Path.cwd()
    if tag:
        check_tag(tag, root=root)
    push(remote)
    verify(remote)
    if tag and not git("tag", "--list", tag, root=root):
        git("tag", tag, root=root)
    said = f"published {git('rev-parse', '--short', 'HEAD', root=root)}" + (f" as {tag}" if tag else "")
    create_markdown_artifact(said, key="published")
    return said

"""Score files: a result with its n, interval, seeds, device, scorer and the hashes of what it was made from."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stages import Params
from stages.files import dvc_md5, write_json
from stages.machine import machine

PACKAGES = ("torch", "torchvision", "numpy", "pycocotools")


def versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of packages; of those that are missing, that they are."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_score(
    path: Path,
    *,
    method: str,
    subject: str,
    results: Mapping[str, object],
    headline: Mapping[str, object],
    n: int,
    seeds: list[int],
    scorer: str,
    params: Params,
    inputs: Mapping[str, Path],
    stage: str | None = None,
) -> None:
    """Write one score.

    Args:
        path: The JSON file.
        method: The method's slug, such as "coco_o".
        subject: The model under test.
        results: All numbers, rates in [0, 1]; each interval is {"value", "low", "high", "n"}.
        headline: The one number to quote: {"name", "value", "low", "high", "n", "interval"}.
        n: Number of images, utterances or prompts behind the headline.
        seeds: Every seed that the result depends on.
        scorer: Name and version of what computed it.
        params: The stage's parameters.
        inputs: What was read, by its name in dvc.yaml; hashed as DVC does.
        stage: The DVC stage, where it is not `<method>-score@<subject>`.
    """
    write_json(
        path,
        {
            "method": method,
            "stage": stage or f"{method}-score@{subject}",
            "subject": subject,
            "results": dict(results),
            "headline": dict(headline),
            "n": n,
            "seeds": seeds,
            "scorer": scorer,
            "device": machine().device,
            "threads": machine().threads,
            "versions": versions(),
            "params": params.model_dump(mode="json"),
            "inputs": {name: dvc_md5(place) for name, place in inputs.items()},
        },
    )

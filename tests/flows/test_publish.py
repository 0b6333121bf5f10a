"""Publishing: only committed results get a tag, and only when the remote lacks nothing."""

import subprocess

import pytest

from flows.leash import Ended, dvc
from flows.publish import PublishError, check_tag, missing


@pytest.fixture
def repository(toy):
    core = "[core]\nanalytics = false\ncheck_update = false\nremote = storage\n"
    toy.path(".dvc/config").write_text(core + "['remote \"storage\"']\nurl = ../../storage\n")
    git(toy, "init", "-q")
    toy.stage("a", params=["n"]).repro()
    git(toy, "add", ".")
    git(toy, "commit", "-q", "-m", "first")
    return toy


def git(toy, *argv):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, *argv], cwd=toy.root, check=True, capture_output=True)


def test_what_the_remote_lacks_is_named_until_it_is_pushed(repository):
    ask = ["data", "status", "--not-in-remote", "--json"]
    assert missing(dvc(ask, root=repository.root)) == ["a.txt"]
    assert dvc(["push", "--run-cache"], root=repository.root).exit_code == 0
    assert missing(dvc(ask, root=repository.root)) == []


def test_a_remote_that_cannot_be_asked_is_not_a_full_one():
    with pytest.raises(PublishError, match="ERROR: no remote"):
        missing(Ended(255, ("ERROR: no remote",)))


def test_a_tag_needs_a_name_a_commit_of_its_own_and_committed_results(repository):
    root = repository.root
    check_tag("v1", root=root)
    git(repository, "tag", "v1")
    check_tag("v1", root=root)
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    with pytest.raises(PublishError, match="v1 names another"):
        check_tag("v1", root=root)
    for name in ("a b", "-d", "x..y", ""):
        with pytest.raises(PublishError, match="must be a git tag name"):
            check_tag(name, root=root)
    repository.path("params.yaml").write_text("n: 3\n")
    with pytest.raises(PublishError, match=r"committed before .* params\.yaml"):
        check_tag("v2", root=root)

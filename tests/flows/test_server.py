"""The background server's note: only a living, healthy process counts."""

import json
import os

import psutil
import pytest

from flows import server


def note(root, **fields):
    (root / ".prefect").mkdir()
    (root / ".prefect" / "server.json").write_text(json.dumps(fields))


def test_no_note_no_server(tmp_path):
    assert server.running(tmp_path) is None
    assert server.stop(tmp_path) is False


def test_a_note_of_a_process_that_began_later_is_stale_and_nothing_is_killed(tmp_path):
    note(tmp_path, pid=os.getpid(), since=1.0, url="http://127.0.0.1:9")
    assert server.running(tmp_path) is None
    assert server.stop(tmp_path) is False
    assert not (tmp_path / ".prefect" / "server.json").exists()


def test_a_process_that_does_not_answer_is_no_server(tmp_path):
    since = psutil.Process().create_time()
    note(tmp_path, pid=os.getpid(), since=since, url="http://127.0.0.1:9")
    assert server.running(tmp_path) is None


@pytest.mark.slow
def test_a_server_is_started_once_on_loopback_and_stopped(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("PREFECT_"):
            monkeypatch.delenv(name)
    started = server.ensure(tmp_path)
    try:
        assert started.url.startswith("http://127.0.0.1:")
        assert server.ensure(tmp_path) == server.running(tmp_path) == started
    finally:
        assert server.stop(tmp_path)
    assert not psutil.pid_exists(started.pid)

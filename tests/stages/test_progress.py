"""Progress in a log and on a terminal."""

import io

from stages import progress
from stages.progress import progress_line, track


def test_lines_in_a_log(monkeypatch, capsys):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    assert list(track(range(6), what="images")) == list(range(6))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["images 3/6, 0.5/s, 6 s left", "images 6/6, 0.5/s, 0 s left"]


def test_quick_work_says_nothing(capsys):
    assert list(track(iter("abc"), what="letters")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_unknown_total():
    assert progress_line("words", 30, total=None, seconds=10) == "words 30, 3.0/s"


def test_bar_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    assert list(track(range(3), what="images")) == [0, 1, 2]
    assert "images" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()

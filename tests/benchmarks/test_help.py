"""Every script says what it measures and takes; none begins to work on the way."""

import importlib
import sys
import warnings
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = [file.stem for file in sorted(FOLDER.glob("*.py")) if "__main__" in file.read_text()]


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_tells_the_purpose_and_ends_well(name, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.path", list(sys.path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that are measured against
        script = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [f"benchmarks/{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        script.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.err) == (0, "")
    assert said.out.startswith(f"usage: {name}.py")
    purpose = script.__doc__.splitlines()[0]
    assert " ".join(purpose.split()) in " ".join(said.out.split())
    assert not list(tmp_path.iterdir())


def test_there_are_scripts():
    assert {"attacks_speed", "gpu_training", "kill"} <= set(SCRIPTS)

"""Checkpoints: resumed after a crash, keyed by what decides the result, gone when it has succeeded."""

import pytest
import torch

from gauntlet.errors import RetryableError
from stages import Params
from stages.checkpoint import Checkpoint
from stages.machine import Machine
from stages.training import fit
from tests.gauntlet.training.test_detection import fresh, one_thread, train

__all__ = ["one_thread"]


class Toy(Params):
    seed: int
    lr: float = 0.1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("1")
    return tmp_path


def checkpoint(folder, *, stage: str = "toy-train", **params) -> Checkpoint:
    return Checkpoint(stage, params=Toy(**({"seed": 0} | params)), inputs={"x": folder / "data/x"})


def test_what_is_saved_comes_back_until_it_is_cleared(folder, capsys):
    run = checkpoint(folder)
    assert run.load() is None
    run.save({"epoch": 2, "weight": torch.arange(3.0)})
    state = checkpoint(folder).load()
    assert state["epoch"] == 2
    assert torch.equal(state["weight"], torch.arange(3.0))
    assert capsys.readouterr().err == f"resuming from {run.path}\n"
    run.clear()
    assert run.load() is None
    assert not run.path.parent.exists()


def test_the_key_is_what_decides_the_result(folder, monkeypatch):
    keys = {checkpoint(folder).path}
    assert checkpoint(folder).path in keys
    keys |= {checkpoint(folder, seed=1).path, checkpoint(folder, lr=0.2).path, checkpoint(folder, stage="other").path}
    (folder / "data/x").write_text("2")
    keys.add(checkpoint(folder).path)
    monkeypatch.setattr("stages.checkpoint._code_digest", lambda: "changed")
    keys.add(checkpoint(folder).path)
    monkeypatch.setattr("stages.checkpoint.machine", lambda: Machine("cuda", 1, 1))
    keys.add(checkpoint(folder).path)
    assert len(keys) == 7


def test_a_broken_file_is_no_checkpoint(folder, capsys):
    run = checkpoint(folder)
    run.save({"weight": torch.zeros(1000)})
    for size in (0, 100, 2000):
        run.path.write_bytes(run.path.read_bytes()[:size])
        assert run.load() is None
        assert "beginning anew" in capsys.readouterr().err
        run.save({"weight": torch.zeros(1000)})


class Evil:
    def __reduce__(self):
        return print, ("code was run",)


def test_no_code_runs_from_a_checkpoint(folder, capsys):
    run = checkpoint(folder)
    run.save({"evil": Evil()})
    assert run.load() is None
    assert "code was run" not in capsys.readouterr().out


def test_a_full_disk_keeps_the_last_state(folder, monkeypatch):
    run = checkpoint(folder)
    run.save({"epoch": 1})

    def full(state, path):
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RetryableError, match=r"must be written whole; .* is the disk full"):
        run.save({"epoch": 2})
    assert run.load() == {"epoch": 1}
    assert [path.name for path in run.path.parent.iterdir()] == ["state.pt"]


def test_a_crashed_fit_ends_with_the_bits_of_an_undisturbed_one(folder, monkeypatch):
    def run(name: str, *, crash: int | None = None):
        state = fresh("faster_rcnn", epochs=3)

        def measure() -> dict[str, float]:
            if state.epoch == crash:
                raise KeyboardInterrupt
            return {"ap": 0.1 * state.epoch}

        kept = checkpoint(folder, stage=name)
        history = fit(state, lambda: train(state, epochs=3), checkpoint=kept, measure=measure)
        kept.clear()
        return state.model.state_dict(), history

    weights, history = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("cut", crash=2)
    torch.rand(5)
    again, history_again = run("cut")
    assert history_again == history
    assert [record["epoch"] for record in history] == [1, 2, 3]
    for key, value in weights.items():
        assert torch.equal(value, again[key]), key
    assert not list((folder / ".checkpoints").glob("*/*"))

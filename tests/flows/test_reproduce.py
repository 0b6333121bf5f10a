"""The flow on a toy pipeline: same lock as `dvc repro`, side by side, retries, and branches that go on."""

import time

import pytest

from flows import reproduce as flow
from flows.plan import Busy
from flows.reproduce import only_run, outcome_of, reproduce, worth_retrying

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    monkeypatch.setattr(flow, "reproduce_stage", flow.reproduce_stage.with_options(retry_delay_seconds=0.1))


@pytest.fixture
def here(toy, prefect_server, monkeypatch):
    monkeypatch.chdir(toy.root)
    return toy


def go(**parameters):
    """Run the flow; return its state and result by stage."""
    state = reproduce(return_state=True, **parameters)
    data = getattr(state.data, "result", state.data)
    outcomes, blocked = data if isinstance(data, tuple) else ((), {})
    return state, {outcome.stage: outcome.result for outcome in outcomes} | dict.fromkeys(blocked, "blocked")


def branches(toy, *, sleep: float = 0.0):
    """A source, two independent children that take `sleep` seconds each, and their join."""
    toy.stage("src", params=["n"])
    toy.stage("left", f"sleep={sleep}", deps=("src",))
    toy.stage("right", f"sleep={sleep}", deps=("src",))
    return toy.stage("join", deps=("left", "right"))


def test_equal_lock_and_then_nothing_to_do(here, another_toy):
    branches(here)
    branches(another_toy).repro()
    state, results = go()
    assert state.is_completed()
    assert results == {"src": "ran", "left": "ran", "right": "ran", "join": "ran"}
    assert here.lock() == another_toy.lock()
    assert go()[1] == {}


@pytest.mark.slow
def test_side_by_side_is_faster_than_dvc_repro(here, another_toy):
    branches(here, sleep=8.0)
    branches(another_toy, sleep=8.0)
    go(targets=["src"])  # what is imported only once is not timed
    begun = time.monotonic()
    another_toy.repro()
    alone_s = time.monotonic() - begun
    begun = time.monotonic()
    state, _ = go(workers=2)
    assert state.is_completed()
    assert alone_s / (time.monotonic() - begun) > 1.3
    assert here.lock() == another_toy.lock()


def test_failures_stop_their_branch_only_and_only_some_are_tried_again(here):
    branches(here)
    here.stage("left", "say=why", "exit=65", deps=("src",))
    here.stage("again", "once=75").stage("bad", "once=65").stage("killed", "kill=9", meta={"retries": 0})
    here.stage("slow", "sleep=60", meta={"timeout": 1})
    state, results = go(workers=4)
    assert state.is_failed()
    assert results == {
        "src": "ran",
        "left": "failed",
        "right": "ran",
        "join": "blocked",
        "again": "ran",
        "bad": "failed",
        "killed": "failed",
        "slow": "failed",
    }
    lines = state.message.splitlines()
    assert {"left: exit 65: why", "join: not run, waits for left"} < set(lines)
    assert any(line.startswith("killed: exit -9: ") for line in lines)
    assert any(line.startswith("slow: exit 124: slow must end within 1 s") for line in lines)


def test_an_unchanged_output_stops_the_rest_without_asking_dvc(here, monkeypatch):
    here.entry("src", cmd="echo same > src.txt", params=["n"], outs=["src.txt"])
    here.stage("left", deps=("src",)).stage("join", deps=("left",))
    go()
    here.path("params.yaml").write_text("n: 2\n")
    asked = []
    monkeypatch.setattr(flow, "run", lambda stage, *, real=flow.run, **more: asked.append(stage) or real(stage, **more))
    assert go()[1] == {"src": "ran", "left": "skipped", "join": "skipped"}
    assert asked == ["src", "left"]


def test_a_target_alone_and_what_is_refused_in_one_line(here):
    here.stage("a").stage("b")
    assert go(targets=["b"])[1] == {"b": "ran"}
    state, _ = go(targets=["b-c"])
    assert (state.name, "\n" in state.message) == ("UnknownTarget", False)
    with only_run(here.root):
        state, _ = go()
    assert state.name == "Busy"
    assert "one run at a time in one folder" in state.message
    with only_run(here.root), pytest.raises(Busy), only_run(here.root):
        pass


def test_gpu_stages_take_turns(here, monkeypatch):
    monkeypatch.setattr("flows.gpu.devices", lambda: ("7",))
    for name in ("one", "two"):
        cmd = f"echo $CUDA_VISIBLE_DEVICES > {name}.txt && test ! -e busy && touch busy && sleep 0.5 && rm busy"
        here.entry(name, cmd=cmd, outs=[f"{name}.txt"], params=["n"], meta={"gpu": 1})
    assert go(workers=2)[1] == {"one": "ran", "two": "ran"}
    assert here.path("two.txt").read_text() == "7\n"


def test_what_is_worth_a_retry():
    assert [code for code in (0, 65, 69, 70, 75, 78, 124, 255, -9, -15) if worth_retrying(code)] == [69, 75, -9, -15]
    assert outcome_of(None) is None

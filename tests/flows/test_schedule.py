"""The board deals stages in the order of the longest remaining chain."""

from flows.plan import Record
from flows.schedule import Board, remaining_seconds


def record(stage: str, *parents: str, seconds: float | None = None, gpu: int = 0) -> Record:
    meta = {"gpu": gpu} | ({"seconds": seconds} if seconds is not None else {})
    return Record(stage, parents, True, meta, (), ())


DIAMOND = (
    record("src", seconds=1),
    record("short", "src", seconds=2),
    record("long", "src", seconds=20),
    record("join", "short", "long", seconds=3),
    record("alone"),
)


def test_remaining_seconds_is_the_longest_chain():
    assert remaining_seconds(DIAMOND) == {"src": 24, "short": 5, "long": 23, "join": 3, "alone": 10}


def test_ready_stages_come_longest_chain_first():
    board = Board(DIAMOND)
    assert [board.take().stage, board.take().stage, board.take()] == ["src", "alone", None]
    board.done("src", ok=True)
    assert [board.take().stage, board.take().stage, board.take()] == ["long", "short", None]
    board.done("short", ok=True)
    assert board.take() is None
    board.done("long", ok=True)
    assert board.take().stage == "join"


def test_a_failure_blocks_what_is_below_it_and_nothing_else():
    board = Board(DIAMOND)
    board.take()
    board.done("src", ok=False)
    assert board.blocked == {"short": "src", "long": "src", "join": "src"}
    assert board.take().stage == "alone"
    board.done("alone", ok=True)
    assert board.take() is None
    assert not board.in_hand


def test_a_parent_outside_the_plan_is_up_to_date():
    assert Board([record("child", "fresh parent")]).take().stage == "child"


def test_a_gpu_stage_waits_for_a_gpu():
    board = Board([record("train", seconds=100, gpu=1), record("score", seconds=1)])
    assert board.take(gpu_free=False).stage == "score"
    assert board.take(gpu_free=False) is None
    assert board.take(gpu_free=True).stage == "train"


def test_a_variant_may_take_longer_than_its_stage():
    meta = {"seconds": 5, "seconds_of": {"slow": 50}}
    stages = [Record(f"train@{name}", (), True, meta, (), ()) for name in ("fast", "other", "slow")]
    board = Board(stages)
    assert [board.take().stage for _ in stages] == ["train@slow", "train@fast", "train@other"]

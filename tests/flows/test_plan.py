"""The plan: DVC's index and DVC's commands tell the same, and targets mean what a person writes."""

import pytest

from flows import plan as planning
from flows.plan import Record, UnknownTarget, due, plan, plan_by_command, plan_in_process
from flows.runner import run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pygtrie, through DVC


@pytest.fixture
def project(toy):
    toy.stage("raw-src", params=["n"], meta={"seconds": 2, "retries": 1})
    toy.entry(
        "coco_o-train",
        matrix={"model": ["fcos", "ssd"]},
        cmd="python work.py ${item.model}.txt",
        deps=["raw-src.txt"],
        outs=["${item.model}.txt"],
        meta={"gpu": 1, "timeout": 60},
    )
    toy.entry(
        "coco_o-score",
        cmd="python work.py score.txt",
        deps=["fcos.txt", "ssd.txt"],
        metrics=[{"score.txt": {"cache": False}}],
    )
    return toy.stage("imagenet_e-build")


def test_index_and_commands_agree(project):
    run("raw-src", root=project.root)
    run("coco_o-train@ssd", root=project.root)
    records = plan_in_process(None, root=project.root)
    assert records == plan_by_command(None, root=project.root)
    assert {record.stage: record.stale for record in records} == {
        "raw-src": False,
        "coco_o-train@fcos": True,
        "coco_o-train@ssd": False,
        "coco_o-score": True,
        "imagenet_e-build": True,
    }
    score = next(record for record in records if record.stage == "coco_o-score")
    assert score == Record(
        "coco_o-score", ("coco_o-train@fcos", "coco_o-train@ssd"), True, {}, ("score.txt",), ("score.txt",)
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("coco_o-train@fcos", {"raw-src", "coco_o-train@fcos"}),
        ("coco_o-train", {"raw-src", "coco_o-train@fcos", "coco_o-train@ssd"}),
        ("coco_o", {"raw-src", "coco_o-train@fcos", "coco_o-train@ssd", "coco_o-score"}),
        ("imagenet_e", {"imagenet_e-build"}),
    ],
)
def test_a_target_brings_its_ancestors(project, target, expected):
    records = plan([target], root=project.root)
    names = [record.stage for record in records]
    assert set(names) == expected
    assert all(names.index(parent) < names.index(record.stage) for record in records for parent in record.parents)


def test_an_unknown_target_names_the_nearest(project):
    with pytest.raises(UnknownTarget, match="got 'imagenet'; did you mean imagenet_e"):
        plan(["imagenet"], root=project.root)


def test_the_commands_step_in_when_the_index_has_moved(project, monkeypatch):
    def moved(targets, *, root):
        raise AttributeError("'Repo' object has no attribute 'index'")

    monkeypatch.setattr(planning, "plan_in_process", moved)
    monkeypatch.setattr(planning, "plan_by_command", lambda targets, *, root: (targets, root))
    assert plan(["coco_o"], root=project.root) == (["coco_o"], project.root)


def test_due_is_what_is_stale_and_all_below_it():
    def record(stage, *parents, stale=False):
        return Record(stage, parents, stale, {}, (), ())

    records = (record("a"), record("b", "a", stale=True), record("c", "b"), record("d", "c"), record("e", "a"))
    assert [each.stage for each in due(records)] == ["b", "c", "d"]
    assert due(records, force=True) == records

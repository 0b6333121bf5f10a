"""Only scores made on the same pictures, under the same budgets, stand beside an audited model."""

import json
from pathlib import Path

import pytest

from gauntlet.errors import DataError
from stages.audit.standing import comparable, plain, scores_here, stand
from stages.summary.readings import Score
from tests.fixtures.robust_scores import write_ares_bench_score
from tests.fixtures.scores import write_imagenet_e_score

LARGEST = 32 / 255


def ares(folder: Path, model: str, *, radius: float, **changes: object) -> Score:
    """Write a score as ares_bench.score does, with the pictures that it was made on."""
    path = write_ares_bench_score(folder, model=model, radius=radius, clean=0.8)
    score = json.loads(path.read_text())
    score["results"]["largest"] = LARGEST
    for key, value in changes.items():
        (score if key in ("n", "seeds") else score["results"])[key] = value
    path.write_text(json.dumps(score))
    return Score.model_validate(score)


@pytest.fixture
def scores(tmp_path) -> list[Score]:
    return [ares(tmp_path, name, radius=radius) for name, radius in (("weak", 0.01), ("strong", 0.1), ("middle", 0.04))]


def test_the_rank_is_that_of_the_area(tmp_path, scores):
    mine = ares(tmp_path, "this model", radius=0.06)
    found = stand(mine, scores, eps=8 / 255)
    assert [row["name"] for row in found.rows] == ["strong", "this model", "middle", "weak"]
    assert found.rank == 2
    assert [row["audited"] for row in found.rows] == [False, True, False, False]
    assert plain(found)["of"] == 4
    curve = mine.results["curves"]["linf"]
    place = max(i for i, eps in enumerate(curve["budgets"]) if eps <= 8 / 255 + 1e-9)
    assert found.rows[1]["robust"] == f"{100 * curve['robust_top1'][place]:.1f}"


@pytest.mark.parametrize("change", [{"data": "digits"}, {"largest": 0.5}, {"n": 20}, {"seeds": [7]}], ids=str)
def test_scores_on_other_pictures_do_not_count(tmp_path, scores, change):
    mine = ares(tmp_path, "this model", radius=0.06, **change)
    assert comparable(mine, scores) == []
    assert stand(mine, scores, eps=8 / 255).alone
    same = ares(tmp_path, "twin", radius=0.05, **change)
    assert comparable(mine, [*scores, same]) == [same]


def test_nobody_beside_is_said_with_the_way_out(tmp_path, scores):
    mine = ares(tmp_path, "this model", radius=0.06, n=20)
    assert f"--images {scores[0].n} --seed" in stand(mine, scores, eps=0.1).note
    assert "no model trained here has been scored on objects32" in stand(mine, [], eps=0.1).note


def test_the_smallest_drop_is_first_and_the_pictures_must_be_the_same(tmp_path):
    def read(name: str, *, factor: float, edited: str) -> Score:
        path = write_imagenet_e_score(tmp_path, classifier=name, factor=factor)
        return Score.model_validate(json.loads(path.read_text()) | {"inputs": {"edited": edited}})

    mine = read("this model", factor=1.0, edited="one")
    others = [read("worse", factor=1.5, edited="one"), read("better", factor=0.5, edited="one")]
    found = stand(mine, [*others, read("elsewhere", factor=0.1, edited="two")], eps=None)
    assert [row["name"] for row in found.rows] == ["better", "this model", "worse"]
    assert found.rank == 2


def test_no_scores_are_no_mistake_and_a_broken_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert scores_here("ares_bench") == []
    folder = tmp_path / "data/scores/ares_bench"
    folder.mkdir(parents=True)
    (folder / "half.json").write_text('{"method": ')
    with pytest.raises(DataError, match=r"half\.json must be a score file"):
        scores_here("ares_bench")

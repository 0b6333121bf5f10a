"""Every method: fits, restores from what it kept, gives the same twice, and learns from sixteen shots."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.safe_clip.clip_adapter import ClipAdapter, adapted
from gauntlet.training.safe_clip.coop import Coop
from gauntlet.training.safe_clip.methods import METHODS
from gauntlet.training.safe_clip.probe import LinearProbe
from gauntlet.training.safe_clip.settings import AdapterSettings, ProbeSettings, Settings
from gauntlet.training.safe_clip.views import Views
from tests.fixtures.few_shot_toys import CLASSES, QUICK, WIDTH, seeded, toy_task, toy_views

ORDER = "zero_shot linear_probe coop clip_adapter tip_adapter tip_adapter_f safe safe_a"


def test_the_methods_are_those_of_the_tables():
    assert " ".join(METHODS) == ORDER
    assert all(name == method.name for name, method in METHODS.items())


@pytest.mark.parametrize("name", METHODS)
def test_what_is_kept_restores_the_method(name):
    task = toy_task(shots=2)
    fitted = METHODS[name].fit(task, QUICK)
    val = task.val.maps[0], task.val.pooled[0]
    logits = fitted.logits(task.frozen, *val)
    assert logits.shape == (len(task.val.labels), CLASSES)
    assert not logits.requires_grad
    kept = load(save(fitted.tensors())) if fitted.tensors() else {}
    assert torch.equal(METHODS[name](kept, fitted.chosen).logits(task.frozen, *val), logits)
    assert fitted.chosen["val_top1"] == (logits.argmax(1) == task.val.labels).double().mean()


@pytest.mark.parametrize("name", METHODS)
def test_the_same_task_gives_the_same_bits(name):
    task = toy_task(shots=2)
    first, second = (METHODS[name].fit(task, QUICK) for _ in range(2))
    assert first.chosen == second.chosen
    assert all(torch.equal(weight, second.weights[key]) for key, weight in first.weights.items())


@pytest.mark.parametrize("name", ["coop", "clip_adapter", "tip_adapter_f", "safe", "safe_a"])
def test_another_seed_gives_other_weights(name):
    task = toy_task(shots=2)
    first, second = (METHODS[name].fit(replace(task, seed=seed), QUICK).weights for seed in (0, 1))
    assert not all(torch.equal(weight, second[key]) for key, weight in first.items())


def test_methods_draw_apart():
    first, again, other = (toy_task().generator(name).initial_seed() for name in ("safe", "safe", "coop"))
    assert first == again != other


@pytest.mark.parametrize("name", METHODS)
def test_rows_are_classified_one_by_one(name):
    """A permutation of the pictures permutes the logits."""
    task = toy_task(shots=2)
    fitted = METHODS[name].fit(task, QUICK)
    maps, pooled = task.val.maps[0], task.val.pooled[0]
    turned = fitted.logits(task.frozen, maps.flip(0), pooled.flip(0)).flip(0)
    torch.testing.assert_close(turned, fitted.logits(task.frozen, maps, pooled), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "zero_shot"])
def test_sixteen_shots_teach(name):
    task = toy_task(shots=16)
    test = toy_views(task.frozen.pool, a_class=100, views=1, seed=77)
    right = [
        (METHODS[each].fit(task, QUICK).logits(task.frozen, test.maps[0], test.pooled[0])).argmax(1) == test.labels
        for each in ("zero_shot", name)
    ]
    assert right[1].float().mean() > right[0].float().mean()


def test_the_loss_of_the_trained_methods_falls():
    task = toy_task(shots=8)
    for name in ("coop", "clip_adapter", "tip_adapter_f", "safe"):
        history = METHODS[name].fit(task, QUICK).history
        assert [record["epoch"] for record in history] == list(range(1, len(history) + 1))
        assert history[-1]["loss"] < history[0]["loss"], name


def test_an_adapter_by_hand_and_its_ratio():
    x, down, up = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0], [0.0]]), torch.tensor([[3.0, -1.0]])
    torch.testing.assert_close(adapted(x, down, up, ratio=0.5), torch.tensor([[2.0, -1.0]]))
    assert torch.equal(adapted(x, down, up, ratio=0.0), x)


def test_adapters_side_by_side_are_those_trained_alone():
    task = toy_task()
    settings = AdapterSettings(lr=1e-2, epochs={1: 10}, ratios=(0.2, 0.6))
    together = ClipAdapter.fit(task, Settings(adapter=settings))
    ratio = together.chosen["ratio"]
    alone = ClipAdapter.fit(task, Settings(adapter=replace(settings, ratios=(ratio,))))
    torch.testing.assert_close(together.weights["down"], alone.weights["down"], atol=1e-5, rtol=1e-4)


def test_the_probe_is_scikit_learns():
    task = toy_task()
    one = task.train._replace(maps=task.train.maps[:1], pooled=task.train.pooled[:1])
    settings = Settings(probe=ProbeSettings(strengths=(3.0,), steps=500))
    probe = LinearProbe.fit(replace(task, train=one), settings)
    oracle = LogisticRegression(C=3.0, max_iter=500).fit(
        functional.normalize(one.pooled[0], dim=-1).numpy(), one.labels.numpy()
    )
    x = torch.randn(20, WIDTH, generator=seeded())
    logits = probe.logits(task.frozen, torch.zeros(20, WIDTH, 4, 4), x)
    expected = torch.from_numpy(oracle.predict_proba(functional.normalize(x, dim=-1).numpy())).float()
    torch.testing.assert_close(logits.softmax(1), expected, atol=1e-3, rtol=1e-3)


def test_two_classes_probe_with_a_row_each():
    task = toy_task()
    pair = [place for place, label in enumerate(task.train.labels.tolist()) if label < 2]
    two = replace(
        task,
        frozen=task.frozen._replace(text_features=task.frozen.text_features[:2]),
        train=task.train.take(pair),
        val=task.val.take([place for place, label in enumerate(task.val.labels.tolist()) if label < 2]),
    )
    probe = LinearProbe.fit(two, Settings(probe=ProbeSettings(strengths=(100.0,))))
    right = probe.logits(two.frozen, two.train.maps[0], two.train.pooled[0]).argmax(1) == two.train.labels
    assert probe.weights["weight"].shape == (2, WIDTH)
    assert right.float().mean() > 0.8


def test_coop_without_a_text_tower_is_refused():
    with pytest.raises(ArgumentError, match="prompt_features and context_width"):
        Coop.fit(replace(toy_task(), prompt_features=None), QUICK)


def test_shots_are_counted_by_class():
    empty = torch.zeros(1, 12, 1)
    assert replace(toy_task(), train=Views(empty, empty, torch.arange(12) % CLASSES)).shots == 3

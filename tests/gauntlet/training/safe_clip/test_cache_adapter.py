"""The cache by its formula, the grid by brute force, trained keys against those that are not."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from gauntlet.training.safe_clip import cache_adapter
from gauntlet.training.safe_clip.cache_adapter import (
    Cache,
    SafeA,
    TipAdapter,
    TipAdapterF,
    cache_keys,
    cache_logits,
    search,
    train_keys,
)
from gauntlet.training.safe_clip.choice import held_out
from gauntlet.training.safe_clip.pool import Safe
from gauntlet.training.safe_clip.settings import CacheSettings, Settings
from tests.fixtures.few_shot_toys import CLASSES, QUICK, WIDTH, seeded, toy_task


def drawn(*shape, seed=0):
    return functional.normalize(torch.randn(*shape, generator=seeded(seed)), dim=-1)


def test_two_keys_by_hand():
    cosines, values = torch.tensor([[1.0, 0.5]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(cache_logits(cosines, values, b=2.0), torch.tensor([[1.0, math.exp(-1)]]))


def test_a_key_is_the_mean_direction_of_the_views():
    features = torch.tensor([[[2.0, 0.0]], [[0.0, 5.0]]])
    torch.testing.assert_close(cache_keys(features), torch.tensor([[0.5, 0.5]]).sqrt())


@pytest.mark.parametrize("at_once", [1, 2**22])
def test_the_grid_is_searched_as_by_two_loops(at_once, monkeypatch):
    monkeypatch.setattr(cache_adapter, "AT_ONCE", at_once)
    settings = CacheSettings(steps=(4, 5))
    labels, values = torch.arange(12) % CLASSES, torch.eye(CLASSES)[torch.arange(8) % CLASSES]
    cosines, base = drawn(12, WIDTH) @ drawn(8, WIDTH, seed=1).T, torch.randn(12, CLASSES, generator=seeded(2))
    tried = {}
    for b in torch.linspace(0.1, 7, 5).tolist():
        for a in torch.linspace(0.1, 3, 4).tolist():
            held = held_out((base + a * cache_logits(cosines, values, b=b))[None], labels)
            tried[a, b] = (float(held.top1[0]), -float(held.loss[0]))
    found = search(base, cosines, values, labels=labels, settings=settings)
    assert (found.a, found.b) == max(tried, key=tried.get)
    assert found.val_top1 == max(tried.values())[0]


def test_training_moves_the_keys_and_lowers_the_loss():
    features, labels = drawn(2, 8, WIDTH), torch.arange(8) % CLASSES
    cache = Cache(cache_keys(features).requires_grad_(), torch.eye(CLASSES)[labels])
    before = cache.keys.detach().clone()
    settings = CacheSettings(lr=1e-2, batch=3)
    base = torch.zeros(2, 8, CLASSES)
    records = list(train_keys(cache, features, labels, base=base, settings=settings, epochs=20, generator=seeded()))
    assert records[-1]["loss"] < records[0]["loss"]
    assert not torch.equal(cache.keys, before)


@pytest.mark.parametrize("method", [TipAdapter, TipAdapterF, SafeA])
def test_an_empty_weight_leaves_the_text_classifier(method):
    task = toy_task()
    fitted = method.fit(task, QUICK)
    off = type(fitted)(fitted.weights, {**fitted.chosen, "a": 0.0})
    maps, pooled = task.val.maps[0], task.val.pooled[0]
    base = Safe.logits(off, task.frozen, maps, pooled) if method is SafeA else task.frozen.zero_shot(pooled)
    assert torch.equal(off.logits(task.frozen, maps, pooled), base)
    assert not torch.equal(fitted.logits(task.frozen, maps, pooled), base)


def test_without_epochs_trained_keys_are_tip_adapters():
    task = toy_task()
    settings = Settings(cache=CacheSettings(epochs={1: 0}, steps=(3, 3)))
    plain, trained = (method.fit(task, settings) for method in (TipAdapter, TipAdapterF))
    assert torch.equal(plain.weights["keys"], trained.weights["keys"])
    assert plain.chosen == trained.chosen


def test_safe_a_starts_from_the_safe_that_is_there():
    task = toy_task()
    safe = Safe.fit(replace(task, seed=5), QUICK)
    fitted = SafeA.fit(replace(task, earlier={"safe": safe}), QUICK)
    assert fitted.chosen["alpha"] == safe.chosen["alpha"]
    assert all(torch.equal(fitted.weights[name], weight) for name, weight in safe.weights.items())
    tuned, same = fitted.pool(task.frozen), safe.pool(task.frozen)
    assert all(torch.equal(a, b) for a, b in zip(tuned.parameters(), same.parameters(), strict=True))


def test_safe_a_alone_trains_the_same_pooling():
    task = toy_task()
    alone, after = SafeA.fit(task, QUICK), SafeA.fit(replace(task, earlier={"safe": Safe.fit(task, QUICK)}), QUICK)
    assert alone.chosen == after.chosen
    assert all(torch.equal(weight, after.weights[name]) for name, weight in alone.weights.items())


def test_safe_a_of_untuned_pooling_is_tip_adapter_f():
    task = toy_task()
    same = Safe(
        {name: weight.detach() for name, weight in task.frozen.pool.named_parameters()}, {"blend": "raw", "alpha": 0.0}
    )
    fitted = SafeA.fit(replace(task, earlier={"safe": same}), QUICK)
    tip = TipAdapterF.fit(task, QUICK)
    assert torch.equal(fitted.weights["keys"], tip.weights["keys"])
    assert (fitted.chosen["a"], fitted.chosen["b"]) == (tip.chosen["a"], tip.chosen["b"])

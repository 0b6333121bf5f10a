"""SAFE: eight tensors train, the label's place draws the attention, and cached maps are as good as the tower."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.safe_clip.pool import Safe, features, train_pool, tuned_pool
from gauntlet.training.safe_clip.settings import PoolSettings, Settings
from gauntlet.training.safe_clip.views import Views
from tests.fixtures.few_shot_toys import (
    CLASSES,
    PLACE,
    QUICK,
    WIDTH,
    seeded,
    toy_directions,
    toy_pool,
    toy_task,
    toy_views,
)

EIGHT = {f"{projection}_proj.{kind}" for projection in "qkvc" for kind in ("weight", "bias")}


def trained(pool, source, labels, *, epochs, views=1, lr=1e-2, batch=64):
    """Train a copy of the pooling."""
    pool = copy.deepcopy(pool)
    records = train_pool(
        pool,
        source,
        labels,
        views=views,
        text_features=toy_directions(),
        logit_scale=10.0,
        settings=PoolSettings(lr=lr, batch=batch),
        epochs=epochs,
        generator=seeded(),
    )
    return pool, list(records)


def entropy(attention):
    return float(-(attention * attention.clamp_min(1e-12).log()).sum(-1).mean())


def test_attention_concentrates_where_the_label_stands():
    start = toy_pool()
    shots, test = toy_views(start, a_class=48, views=2, seed=1), toy_views(start, a_class=25, views=1, seed=9)
    pool, records = trained(start, lambda seen, index: shots.maps[seen, index], shots.labels, epochs=30, views=2)
    before, after = (each.attention(test.maps[0]).detach() for each in (start, pool))
    assert entropy(after) < entropy(before) - 0.3
    assert after[:, :, 1 + PLACE].mean() > 3 * before[:, :, 1 + PLACE].mean()
    assert records[-1]["loss"] < 0.2 * records[0]["loss"]
    answers = (pool(test.maps[0]) @ toy_directions().T).argmax(1)
    assert (answers == test.labels).float().mean() > 0.95


def test_one_step_changes_the_eight_tensors_and_nothing_else():
    start = toy_pool()
    shots = toy_views(start, a_class=2, views=1, seed=1)
    pool, _ = trained(start, lambda seen, index: shots.maps[seen, index], shots.labels, epochs=1)
    before, after = start.state_dict(), pool.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == EIGHT
    assert {name for name, weight in pool.named_parameters() if weight.requires_grad} == EIGHT


def test_maps_cached_once_train_like_the_whole_tower():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, WIDTH, 4, stride=4), nn.ReLU(), nn.BatchNorm2d(WIDTH)).eval()
    x = torch.rand(2, 12, 3, 16, 16, generator=seeded(3))
    labels = torch.arange(12) % CLASSES
    with torch.no_grad():
        maps = torch.stack([trunk(view) for view in x])

    def tower(seen, index):
        with torch.no_grad():
            return trunk(x[seen, index])

    cached, records = trained(toy_pool(), lambda seen, index: maps[seen, index], labels, epochs=6, views=2, batch=5)
    whole, same = trained(toy_pool(), tower, labels, epochs=6, views=2, batch=5)
    for name, weight in cached.state_dict().items():
        torch.testing.assert_close(weight, whole.state_dict()[name], atol=1e-5, rtol=1e-4)
    assert [r["loss"] for r in records] == pytest.approx([r["loss"] for r in same], rel=1e-4)


def test_half_precision_maps_train_in_float32():
    start = toy_pool()
    shots = toy_views(start, a_class=2, views=1, seed=1)
    half = shots.maps.half()
    pool, _ = trained(start, lambda seen, index: half[seen, index], shots.labels, epochs=2)
    assert {weight.dtype for weight in pool.parameters()} == {torch.float32}


def test_no_epoch_leaves_every_alpha_at_zero_shot():
    task = toy_task()
    safe = Safe.fit(task, Settings(PoolSettings(epochs={1: 0})))
    val = task.val.maps[0], task.val.pooled[0]
    curve = safe.curve(task.frozen, *val, alphas=(0.0, 0.3, 0.7, 1.0))
    assert torch.equal(curve[0], task.frozen.zero_shot(val[1]))
    torch.testing.assert_close(curve, curve[:1].expand_as(curve), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("blend", ["raw", "normalised"])
def test_alpha_nought_is_zero_shot_to_the_bit_after_training(blend):
    task = toy_task()
    safe = Safe.fit(task, Settings(PoolSettings(lr=1e-2, epochs={1: 5}, blend=blend)))
    val = task.val.maps[0], task.val.pooled[0]
    curve = safe.curve(task.frozen, *val, alphas=(0.0, 1.0))
    assert torch.equal(curve[0], task.frozen.zero_shot(val[1]))
    assert not torch.allclose(curve[0], curve[1])
    off = Safe(safe.weights, {**safe.chosen, "alpha": 0.0})
    assert torch.equal(off.logits(task.frozen, *val), task.frozen.zero_shot(val[1]))


def test_fitting_leaves_the_frozen_parts_alone_and_beats_zero_shot():
    task = toy_task(shots=16)
    before = copy.deepcopy(task.frozen)
    safe = Safe.fit(task, QUICK)
    assert all(torch.equal(a, b) for a, b in zip(before.pool.parameters(), task.frozen.pool.parameters(), strict=True))
    assert torch.equal(before.text_features, task.frozen.text_features)
    assert all(weight.grad is None for weight in task.frozen.pool.parameters())
    test = toy_views(task.frozen.pool, a_class=50, views=1, seed=77)
    right = [
        (logits.argmax(1) == test.labels).float().mean()
        for logits in (task.frozen.zero_shot(test.pooled[0]), safe.logits(task.frozen, test.maps[0], test.pooled[0]))
    ]
    assert right[1] > right[0] + 0.2


def test_at_one_shot_and_too_large_a_rate_the_blend_saves_what_tuning_loses_elsewhere():
    """Where the label stands at another place, alpha = 1 falls below zero-shot and the best alpha lies inside."""
    task = toy_task(shots=1)
    test = toy_views(task.frozen.pool, a_class=100, views=1, seed=77)
    moved = test.maps[0].flatten(2).roll(6, 2).unflatten(2, (4, 4))
    with torch.no_grad():
        pooled = task.frozen.pool(moved)
    settings, right = Settings(PoolSettings(lr=1.0, epochs={1: 40})), []
    for seed in range(6):
        wild = Safe.fit(replace(task, seed=seed), settings)
        right.append(wild.curve(task.frozen, moved, pooled, alphas=(0.0, 0.2, 1.0)).argmax(2) == test.labels)
    zero_shot, blended, tuned = torch.stack(right).float().mean((0, 2))
    assert tuned < zero_shot - 0.05
    assert blended > zero_shot + 0.01


def test_features_of_stacked_views_are_those_of_each():
    pool = toy_pool()
    shots = toy_views(pool, a_class=3, views=2, seed=1)
    torch.testing.assert_close(features(pool, shots.maps, batch=5), shots.pooled)


def test_a_tuned_pool_trains_no_further():
    pool = toy_pool()
    copied = tuned_pool(pool, {name: weight + 1 for name, weight in pool.named_parameters()})
    assert not any(weight.requires_grad for weight in copied.parameters())
    assert torch.equal(copied.q_proj.bias, pool.q_proj.bias + 1)


def test_a_loss_that_is_no_number_is_told():
    start = toy_pool()
    with pytest.raises(ArgumentError, match="the loss must stay finite"):
        trained(
            start, lambda seen, index: torch.full((len(index), WIDTH, 4, 4), torch.nan), torch.zeros(2).long(), epochs=1
        )


def test_views_are_taken_with_their_labels():
    views = Views(torch.arange(6.0).reshape(2, 3, 1, 1, 1), torch.arange(6.0).reshape(2, 3, 1), torch.tensor([0, 1, 2]))
    taken = views.take([2, 0])
    assert taken.labels.tolist() == [2, 0]
    assert taken.maps.flatten().tolist() == taken.pooled.flatten().tolist() == [2, 0, 5, 3]


def test_logits_of_zero_shot_are_scaled_cosines():
    frozen = toy_task().frozen
    x = torch.randn(5, WIDTH, generator=seeded())
    cosines = functional.cosine_similarity(x[:, None], frozen.text_features[None], dim=-1)
    torch.testing.assert_close(frozen.zero_shot(x), 20 * cosines)

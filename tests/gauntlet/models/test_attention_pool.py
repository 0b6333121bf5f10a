"""The pooling against torch's own attention, and what the paper's invariants say of it."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_pool import AttentionPool


def make(channels=16, *, grid=4, out=6, heads=4, seed=0, **settings) -> AttentionPool:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = {name: nn.Linear(channels, channels) for name in ("q_proj", "k_proj", "v_proj")}
        positions = torch.randn(grid**2 + 1, channels)
        return AttentionPool(positions, **parts, c_proj=nn.Linear(channels, out), heads=heads, **settings)


def reference(pool: AttentionPool, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """CLIP's own forward pass: all tokens ask, the first answer is taken."""
    tokens = maps.flatten(2).permute(2, 0, 1)
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens]) + pool.positional_embedding[:, None]
    out, weights = functional.multi_head_attention_forward(
        tokens,
        tokens,
        tokens,
        tokens.shape[-1],
        pool.heads,
        None,
        torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]),
        None,
        None,
        False,
        0.0,
        pool.c_proj.weight,
        pool.c_proj.bias,
        use_separate_proj_weight=True,
        q_proj_weight=pool.q_proj.weight,
        k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
        average_attn_weights=False,
    )
    return out[0], weights[:, :, 0]


@pytest.mark.parametrize(("grid", "heads"), [(2, 1), (4, 4), (7, 8)])
def test_it_is_torchs_attention(grid, heads):
    pool = make(grid=grid, heads=heads)
    maps = torch.randn(5, 16, grid, grid, generator=torch.Generator().manual_seed(1))
    features, weights = reference(pool, maps)
    assert torch.allclose(pool(maps), features, atol=1e-5)
    assert torch.allclose(pool.attention(maps), weights, atol=1e-6)


def test_gradients_are_torchs():
    pool, maps = make(), torch.randn(5, 16, 4, 4, generator=torch.Generator().manual_seed(1))
    target = torch.randn(5, 6, generator=torch.Generator().manual_seed(2))
    found = torch.autograd.grad((pool(maps) * target).sum(), list(pool.parameters()))
    expected = torch.autograd.grad((reference(pool, maps)[0] * target).sum(), list(pool.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_attention_sums_to_one_over_mean_and_positions():
    weights = make(grid=7).attention(torch.randn(3, 16, 7, 7))
    assert weights.shape == (3, 4, 50)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 4))


def test_moving_positions_with_their_embeddings_changes_nothing():
    pool, moved = make(), make()
    maps = torch.randn(3, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    order = torch.randperm(16, generator=torch.Generator().manual_seed(4))
    shuffled = maps.flatten(2)[:, :, order].unflatten(2, (4, 4))
    moved.positional_embedding[1:] = pool.positional_embedding[1:][order]
    assert torch.allclose(moved(shuffled), pool(maps), atol=1e-5)
    assert not torch.allclose(pool(shuffled), pool(maps), atol=1e-2)


def test_eight_tensors_of_resnet_50_can_be_trained():
    with torch.device("meta"):
        pool = make(2048, grid=7, out=1024, heads=32)
    tensors = [tensor for tensor in pool.parameters() if tensor.requires_grad]
    assert len(tensors) == 8
    assert sum(tensor.numel() for tensor in tensors) == 14_687_232
    with torch.device("meta"):
        smaller = make(2048, grid=7, out=512, heads=32)
    assert sum(tensor.numel() for tensor in smaller.parameters()) == 13_638_144


def test_one_step_leaves_the_positions_alone():
    pool = make()
    before = {name: tensor.clone() for name, tensor in pool.state_dict().items()}
    optimizer = torch.optim.AdamW(pool.parameters(), lr=0.1)
    pool(torch.randn(3, 16, 4, 4)).square().sum().backward()
    optimizer.step()
    changed = {name for name, tensor in pool.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == set(before) - {"positional_embedding"}
    assert len(changed) == 8


def test_tuned_attention_finds_the_place_that_tells_the_class():
    """8 x 4 x 4 maps whose class is written at one position, marked by a channel; the rest is noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (256,), generator=generator)
    maps = torch.randn(256, 8, 4, 4, generator=generator)
    maps[:, :4, 2, 1] = 3 * functional.one_hot(labels, 4).float()
    maps[:, 7, 2, 1] = 3.0
    pool = make(8, out=4, heads=2)
    optimizer = torch.optim.AdamW(pool.parameters(), lr=0.01)

    @torch.no_grad()
    def entropy() -> float:
        weights = pool.attention(maps)
        return float(-(weights * weights.log()).sum(-1).mean())

    first = entropy()
    for _ in range(150):
        optimizer.zero_grad()
        functional.cross_entropy(pool(maps), labels).backward()
        optimizer.step()
    assert entropy() < 0.6 * first
    assert pool.attention(maps).mean((0, 1)).argmax() == 1 + 2 * 4 + 1
    assert (pool(maps).argmax(1) == labels).float().mean() > 0.95


def test_maps_of_another_size_are_refused_but_in_pre_training():
    maps = torch.randn(2, 16, 3, 3)
    with pytest.raises(ArgumentError, match="16 positions; got 16 x 3 x 3"):
        make()(maps)
    learner = make(learn_positions=True)
    assert learner(maps).shape == (2, 6)
    assert "positional_embedding" in dict(learner.named_parameters())
    with pytest.raises(ArgumentError, match="16 channels"):
        learner(torch.randn(2, 8, 4, 4))


def test_heads_must_divide_the_channels():
    with pytest.raises(ArgumentError, match="heads must divide the 16 channels; got 3"):
        make(heads=3)


def test_a_copy_shares_nothing():
    pool = make()
    copy = AttentionPool.from_open_clip(pool)
    assert all(torch.equal(tensor, copy.state_dict()[name]) for name, tensor in pool.state_dict().items())
    with torch.no_grad():
        copy.q_proj.weight.zero_()
    assert pool.q_proj.weight.abs().sum() > 0

"""Noise: the published mix, moments, and streams that follow their images."""

import pytest
import torch

from gauntlet.attacks.noise import _STRIDE, Noise, _mixed

X = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(1))


def noise(x=X, *, seed: int = 5) -> Noise:
    return Noise.of(x, torch.Generator().manual_seed(seed))


def drawn(of: Noise) -> list[torch.Tensor]:
    return [of.uniform((3, 5)), of.normal((7,)), of.signs((70,)), of.integers((4,), 9)]


def test_mix_is_splitmix64():
    # The first three outputs of SplitMix64 with seed 0, as published with its reference code.
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    states = torch.arange(1, 4) * _STRIDE
    assert [word % 2**64 for word in _mixed(states).tolist()] == published


def test_a_permuted_batch_draws_permuted_numbers():
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    for straight, permuted in zip(drawn(noise()), drawn(noise(X[order])), strict=True):
        assert torch.equal(straight[order], permuted)


def test_neighbours_do_not_matter():
    for all_, alone in zip(drawn(noise()), drawn(noise(X[2:3])), strict=True):
        assert torch.equal(all_[2:3], alone)


def test_kept_images_go_on_where_they_were():
    whole, part = noise(), noise()
    whole.uniform((2,)), part.uniform((2,))
    part = part.keep(torch.tensor([4, 1]))
    assert torch.equal(whole.normal((3,))[[4, 1]], part.normal((3,)))


def test_every_draw_seed_and_pixel_changes_the_numbers():
    first = noise()
    begin = first.uniform((50,))
    changed = X.clone()
    changed[:, 0, 0, 0] += 2.0**-20
    for other in (first.uniform((50,)), noise(seed=6).uniform((50,)), noise(changed).uniform((50,))):
        assert (begin != other).float().mean() > 0.99


def test_one_number_is_drawn_from_the_generator():
    used, fresh = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    Noise.of(X, used)
    torch.randint(2**62, (), generator=fresh)
    assert torch.equal(used.get_state(), fresh.get_state())


def test_uniform_is_uniform():
    values = noise().uniform((20001,), -2.0, 3.0)
    assert values.min() >= -2
    assert values.max() < 3
    shares = torch.histc((values + 2) / 5, 20, 0, 1) / values.numel()
    assert (shares - 0.05).abs().max() < 0.004


def test_normal_is_normal():
    values = noise().normal((20001,)).double()
    assert values.mean().abs() < 0.015
    assert (values.std() - 1).abs() < 0.01
    assert (values.pow(4).mean() - 3).abs() < 0.15
    assert torch.corrcoef(values).fill_diagonal_(0).abs().max() < 0.03


def test_signs_are_fair():
    values = noise().signs((100, 100))
    assert values.shape == (6, 100, 100)
    assert set(values.unique().tolist()) == {-1.0, 1.0}
    assert values.mean().abs() < 0.02


@pytest.mark.parametrize("below", [7, torch.tensor([1, 2, 3, 5, 8, 13])])
def test_integers_fill_their_range(below):
    values = noise().integers((5000,), below)
    limits = below if isinstance(below, torch.Tensor) else torch.full((6,), below)
    for row, limit in zip(values, limits.tolist(), strict=True):
        shares = torch.bincount(row, minlength=limit) / len(row)
        assert len(shares) == limit
        assert (shares - 1 / limit).abs().max() < 0.03


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_draws_the_same():
    for here, there in zip(drawn(noise()), drawn(noise(X.cuda())), strict=True):
        torch.testing.assert_close(here, there.cpu(), rtol=1e-5, atol=1e-6)

"""Masked L2 in closed form; the mask's edge; an edit that changes nothing; the rate."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.metrics.disruption import Disruption, disruption, joined, protection


def pictures(edit: float, apart: float) -> tuple[torch.Tensor, ...]:
    """A picture of which an edit brightens the left quarter, and a protection darkens the edit there."""
    x = torch.full((1, 3, 4, 4), 0.25)
    edited, protected = x.clone(), x.clone()
    edited[..., 0] += edit
    protected[..., 0] += edit - apart
    return x, edited, protected


def test_closed_form():
    rows = disruption(*pictures(0.5, 0.2))
    # On [-1, 1] the pictures are 0.4 apart in a quarter of the pixels.
    assert rows.masked_l2.item() == pytest.approx(0.16)
    assert rows.l2.item() == pytest.approx(0.04)
    assert rows.changed.item()
    assert rows.disrupted.item()


@pytest.mark.parametrize(("apart", "disrupted"), [(0.111, False), (0.112, True)])
def test_the_threshold_is_one_twentieth_on_the_doubled_range(apart, disrupted):
    assert disruption(*pictures(0.5, apart)).disrupted.item() == disrupted  # 0.05 = (2 * 0.1118)^2


@pytest.mark.parametrize(("edit", "changed"), [(0.083, False), (0.084, True)])
def test_a_pixel_is_edited_above_half_in_sum_over_channels(edit, changed):
    rows = disruption(*pictures(edit, 0.2))  # three channels, doubled: 6 * 0.08333 = 0.5
    assert rows.changed.item() == changed
    assert rows.disrupted.item() == changed


def test_an_edit_that_changes_nothing_is_counted_apart():
    x = torch.rand(2, 3, 4, 4)
    protected = 1 - x
    edited = x.clone()
    edited[1] = 1 - edited[1].round()
    rows = disruption(x, edited, protected)
    assert rows.masked_l2[0] == 0
    assert torch.isfinite(rows.masked_l2).all()
    assert rows.changed.tolist() == [False, True]
    assert protection(rows).no_change == 1
    assert protection(rows).rate.n == 1


def test_the_same_edit_is_no_disruption_and_a_permutation_permutes():
    torch.manual_seed(0)
    x, edited, protected = (torch.rand(3, 3, 4, 4) for _ in range(3))
    assert disruption(x, edited, edited).masked_l2.abs().max() == 0
    order = torch.tensor([2, 0, 1])
    one, other = disruption(x, edited, protected), disruption(x[order], edited[order], protected[order])
    assert all(torch.equal(a[order], b) for a, b in zip(one, other, strict=True))


def test_the_rate_is_over_edits_that_change_something():
    one = Disruption(torch.zeros(4), torch.zeros(4), torch.tensor([1, 1, 1, 0]) > 0, torch.tensor([1, 0, 0, 0]) > 0)
    found = protection(joined([one, one]))
    assert found.rate.value == pytest.approx(1 / 3)
    assert (found.rate.n, found.no_change) == (6, 2)
    nothing = protection(Disruption(*(torch.zeros(2),) * 2, *(torch.zeros(2, dtype=torch.bool),) * 2))
    assert (nothing.rate.value, nothing.rate.n, nothing.no_change) == (0, 0, 2)


def test_shapes_must_agree():
    with pytest.raises(ArgumentError, match="one shape"):
        disruption(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4), torch.rand(1, 3, 8, 8))

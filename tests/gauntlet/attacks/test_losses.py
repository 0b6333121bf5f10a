"""Losses by hand, and what they must not depend on."""

import pytest
import torch

from gauntlet.attacks.losses import LOSSES, cross_entropy, dlr, dlr_targeted, margin

LOGITS = torch.tensor([[3.0, 1.0, 0.0, -1.0], [3.0, 1.0, 0.0, -1.0]])
Y = torch.tensor([0, 1])


def test_by_hand():
    torch.testing.assert_close(margin(LOGITS, Y), torch.tensor([-2.0, 2.0]))
    torch.testing.assert_close(dlr(LOGITS, Y), torch.tensor([-2 / 3, 2 / 3]))
    # Over z_1 - (z_3 + z_4) / 2 = 3.5; targets 2 and 0.
    torch.testing.assert_close(dlr_targeted(LOGITS, Y, torch.tensor([2, 0])), torch.tensor([-3 / 3.5, 2 / 3.5]))
    torch.testing.assert_close(cross_entropy(LOGITS, Y), LOGITS.logsumexp(1) - torch.tensor([3.0, 1.0]))


@pytest.mark.parametrize("name", LOSSES)
def test_adding_to_all_logits_changes_nothing(name):
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    y = logits.flip(1).argmax(1)
    torch.testing.assert_close(LOSSES[name](logits, y), LOSSES[name](logits + 3, y), rtol=1e-4, atol=1e-5)


def test_dlr_is_free_of_scale():
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    y = logits.flip(1).argmax(1)
    torch.testing.assert_close(dlr(logits, y), dlr(100 * logits, y))
    torch.testing.assert_close(dlr_targeted(logits, y, (y + 1) % 6), dlr_targeted(100 * logits, y, (y + 1) % 6))


@pytest.mark.parametrize("loss", [margin, dlr])
def test_positive_exactly_where_the_model_errs(loss):
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(1))
    y = torch.randint(5, (200,), generator=torch.Generator().manual_seed(2))
    assert torch.equal(loss(logits, y) > 0, logits.argmax(1) != y)

"""Validation chooses the highest top1; of equals the one that is surest."""

import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.training.safe_clip.choice import Held, held_out


def test_two_rows_by_hand():
    logits = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[2.0, 0.0], [0.0, 2.0]]])
    held = held_out(logits, torch.tensor([0, 1]))
    assert held.top1.tolist() == [0.5, 1.0]
    assert held.loss.tolist() == pytest.approx([0.693147, 0.126928], abs=1e-6)
    assert held.best() == 1


def test_of_equals_the_least_loss_then_the_first():
    assert Held(torch.tensor([0.5, 0.9, 0.9]), torch.tensor([0.1, 0.8, 0.7])).best() == 2
    assert Held(torch.tensor([0.9, 0.9]), torch.tensor([0.7, 0.7])).best() == 0


def test_a_candidate_without_numbers_is_never_chosen():
    held = held_out(torch.tensor([[[torch.nan, torch.nan]], [[1.0, 0.0]]]), torch.tensor([0]))
    assert held.best() == 1


def test_nothing_to_choose_on_is_refused():
    with pytest.raises(DataError, match="there must be validation shots"):
        held_out(torch.zeros(1, 0, 2), torch.zeros(0, dtype=torch.long))

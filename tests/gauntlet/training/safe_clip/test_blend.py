"""alpha = 0 is zero-shot CLIP to the bit, alpha = 1 the tuned pooling, and what lies between is a mix."""

import pytest
import torch
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.safe_clip.blend import BLENDS, blend, blend_curve

TUNED, POOLED = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])


@pytest.mark.parametrize("kind", BLENDS)
def test_the_ends_are_the_given_features_to_the_bit(kind):
    tuned, pooled = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(blend(tuned, pooled, alpha=0.0, kind=kind), pooled)
    assert torch.equal(blend(tuned, pooled, alpha=1.0, kind=kind), tuned)


def test_raw_vectors_weigh_by_length_and_directions_do_not():
    assert torch.equal(blend(TUNED, POOLED, alpha=0.5, kind="raw"), torch.tensor([[1.5, 0.5]]))
    assert torch.equal(blend(TUNED, POOLED, alpha=0.5, kind="normalised"), torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("kind", BLENDS)
def test_equal_features_blend_to_themselves(kind):
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    curve = blend_curve(x, x, alphas=(0, 0.1, 0.5, 0.9, 1), kind=kind)
    directions = functional.normalize(curve, dim=-1)
    torch.testing.assert_close(directions, directions[:1].expand_as(directions))


@pytest.mark.parametrize("alpha", [-0.1, 1.5, 50])
def test_alpha_outside_its_range_is_refused(alpha):
    with pytest.raises(ArgumentError, match=r"alpha must lie in \[0, 1\]; got"):
        blend(TUNED, POOLED, alpha=alpha, kind="raw")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ArgumentError, match="raw, normalised; got 'normalized'"):
        blend(TUNED, POOLED, alpha=0.5, kind="normalized")

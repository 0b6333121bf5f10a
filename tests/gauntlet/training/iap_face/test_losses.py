import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from gauntlet.metrics.disruption import disruption
from gauntlet.training.iap_face.losses import correlation, feature_correlation, image_loss, message_loss, surviving


def pictures(seed=0):
    return torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


class Pixels:
    def features(self, x):
        return [x, functional.avg_pool2d(x, 2)]


def test_correlation_is_numpys():
    a, b = pictures(0), pictures(1)
    expected = [np.corrcoef(a[i].flatten(), b[i].flatten())[0, 1] for i in range(4)]
    torch.testing.assert_close(correlation(a, b), torch.tensor(expected).float(), atol=1e-5, rtol=0)


def test_correlation_with_itself_is_one_whatever_the_brightness():
    a = pictures()
    ones = torch.ones(4)
    torch.testing.assert_close(correlation(a, a), ones)
    torch.testing.assert_close(correlation(a, 0.5 * a + 0.2), ones)
    torch.testing.assert_close(correlation(a, -a), -ones)
    assert functional.mse_loss(a, 0.5 * a + 0.2) > 0.005
    torch.testing.assert_close(feature_correlation(Pixels(), a, 2 * a - 1), ones)


def test_a_flat_picture_correlates_with_nothing_and_keeps_its_gradient_finite():
    flat = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    rho = correlation(flat, pictures()[:1])
    assert rho.item() == pytest.approx(0, abs=1e-6)
    rho.sum().backward()
    assert flat.grad.isfinite().all()


def test_the_image_loss_is_one_at_the_edge_of_the_ball_plus_what_the_correlation_loses():
    x = pictures()
    assert image_loss(x, x, eps=0.1).item() == pytest.approx(0, abs=1e-6)
    assert image_loss(x + 0.1, x, eps=0.1).item() == pytest.approx(1, abs=1e-4)


def test_the_message_loss_is_a_coin_toss_at_zero():
    message = torch.tensor([[0.0, 1.0]])
    assert message_loss([torch.zeros(1, 2)] * 3, message).item() == pytest.approx(math.log(2))
    assert message_loss([torch.tensor([[-20.0, 20.0]])], message) < 1e-6


def test_the_share_that_survives_counts_the_edited_region_alone():
    x = torch.zeros(1, 3, 4, 4)
    edited = x.clone()
    edited[..., :2, :] = 0.5
    protected = edited.clone()
    protected[..., 2:, :] = 1  # outside of the edit: not counted
    assert surviving(protected, edited, x).item() == pytest.approx(1, abs=1e-6)
    protected[..., :2, :] += math.sqrt(0.05) / 2  # a masked L2 of 0.05 on [-1, 1], where an edit counts as disrupted
    assert surviving(protected, edited, x).item() == pytest.approx(0.5, abs=1e-3)
    assert disruption(x, edited, protected + 1e-3).disrupted.all()
    protected[..., :2, :] += 0.5
    assert surviving(protected, edited, x).item() < 0.01


def test_an_edit_that_changes_nothing_counts_over_the_whole_picture():
    x = torch.zeros(1, 3, 4, 4)
    assert surviving(x + math.sqrt(0.05) / 2, x, x).item() == pytest.approx(0.5, abs=1e-3)


def test_a_face_that_gives_way_is_not_drowned_by_one_that_does_not():
    x = torch.zeros(2, 3, 4, 4)
    protected = torch.stack([torch.full((3, 4, 4), 0.001), torch.full((3, 4, 4), 0.05)]).requires_grad_()
    surviving(protected, x, x).backward()
    assert protected.grad[1].abs().mean() > 20 * protected.grad[0].abs().mean()

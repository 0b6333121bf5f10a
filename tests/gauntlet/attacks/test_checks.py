"""Every bad input is refused with its own line."""

import pytest
import torch

from gauntlet.attacks.checks import check_inputs, check_logits
from gauntlet.errors import ArgumentError

X = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 1])
NAN = torch.full_like(X, torch.nan)
LOGITS = torch.tensor([[2.0, 0.5, -1.0]]).repeat(4, 1)


def test_good_input_passes():
    for norm, eps in (("linf", 1.0), ("l2", 12**0.5), ("l1", 12.0)):
        check_inputs(X, Y, eps=eps, norm=norm)
    check_inputs(X, Y, eps=torch.tensor([0, 0.1, 0.2, 1]), norm="linf")
    check_inputs(X[:0], Y[:0], eps=0.1, norm="linf")
    check_logits(LOGITS, Y)
    check_logits(LOGITS.log_softmax(1), Y)
    check_logits(LOGITS[:0], Y[:0])


@pytest.mark.parametrize(
    ("x", "y", "eps", "norm", "line"),
    [
        (X, Y, 8, "linf", r"eps must lie in \[0, 1\] for linf \(8/255, not 8\); got 8"),
        (X, Y, 128, "l2", r"eps must lie in \[0, 3.464\] for l2 .*; got 128"),
        (X, Y, -0.1, "l2", "eps must lie in .*; got -0.1"),
        (X, Y, float("nan"), "linf", "eps must lie in .*; got nan"),
        (X, Y, torch.tensor([0.1, 0.1, 2.0, 0.1]), "linf", "eps must lie in .*; got 2"),
        (X, Y, torch.full((3,), 0.1), "linf", r"eps must be a number or one an image \[4\]; got the shape \[3\]"),
        (X, Y, 0.1, "Linf", "norm must be one of linf, l2, l1; got 'Linf'"),
        (X * 255, Y, 0.1, "linf", r"pixels must lie in \[0, 1\] \(divide by 255, .*; got \["),
        (X - 1, Y, 0.1, "linf", r"pixels must lie in \[0, 1\]"),
        (NAN, Y, 0.1, "linf", r"pixels must lie in \[0, 1\] .*nan"),
        ((X * 255).byte(), Y, 0.1, "linf", "x must be float32 .*; got torch.uint8 4 x 3 x 2 x 2"),
        (X.double(), Y, 0.1, "linf", "x must be float32 .*; got torch.float64"),
        (X[0], Y[:3], 0.1, "linf", "x must be float32 B x C x H x W .* 3 x 2 x 2"),
        (X, Y[:3], 0.1, "linf", r"y must be int64 \[4\], one label an image; got torch.int64 \[3\]"),
        (X, Y.float(), 0.1, "linf", "y must be int64 .*; got torch.float32"),
    ],
)
def test_bad_input_is_refused(x, y, eps, norm, line):
    with pytest.raises(ArgumentError, match=line) as caught:
        check_inputs(x, y, eps=eps, norm=norm)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("logits", "y", "line"),
    [
        (LOGITS.softmax(1), Y, "the model must return logits; its rows are probabilities"),
        (LOGITS.where(LOGITS > 0, torch.nan), Y, "logits must be finite; 4 of 4 images got NaN or infinity"),
        (LOGITS.where(LOGITS > 0, -torch.inf), Y, "logits must be finite"),
        (LOGITS, Y + 1, r"labels must lie in \[0, 2\], the model's classes; got 3"),
        (LOGITS, Y - 1, r"labels must lie in \[0, 2\], the model's classes; got -1"),
        (LOGITS[:, 0], Y, "the model must return float logits 4 x classes; got torch.float32 4"),
        (LOGITS[:, :1], Y, "the model must return float logits"),
        (LOGITS[:3], Y, "the model must return float logits 4 x classes; got torch.float32 3 x 3"),
        (LOGITS.long(), Y, "the model must return float logits"),
    ],
)
def test_bad_logits_are_refused(logits, y, line):
    with pytest.raises(ArgumentError, match=line) as caught:
        check_logits(logits, y)
    assert "\n" not in str(caught.value)

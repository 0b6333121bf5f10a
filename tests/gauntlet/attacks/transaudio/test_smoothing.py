"""Smoothing keeps phases and lengths, spreads energy evenly, and leaves what is smooth."""

import torch

from gauntlet.attacks.transaudio.smoothing import smoothed


def test_a_steady_noise_keeps_its_phase_and_its_size():
    gradient = torch.randn(2, 4001, generator=torch.Generator().manual_seed(0))
    soft = smoothed(gradient)
    assert soft.shape == gradient.shape
    cosine = torch.nn.functional.cosine_similarity(soft, gradient, dim=1)
    assert (cosine > 0.8).all()
    assert torch.isfinite(smoothed(torch.zeros(1, 400))).all()


def test_a_click_spreads_to_both_sides_but_to_one_with_the_released_kernel():
    gradient = torch.randn(1, 8160, generator=torch.Generator().manual_seed(0))
    gradient *= 1e-4
    gradient[0, 4000:4160] *= 1e4
    ours, theirs = (smoothed(gradient, released=released)[0].square() for released in (False, True))

    def lean(power: torch.Tensor) -> float:
        before, after = float(power[:4000].sum()), float(power[4160:].sum())
        return abs(before - after) / (before + after)

    assert lean(ours) < 0.3 < lean(theirs)

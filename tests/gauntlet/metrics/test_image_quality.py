import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from gauntlet.errors import ArgumentError
from gauntlet.metrics.image_quality import at_psnr, perceptual, psnr_db, ssim


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 3, 24, 31, generator=generator)
    return x, (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def test_psnr_of_a_known_difference():
    x = torch.zeros(2, 3, 4, 4)
    y = torch.stack([torch.full((3, 4, 4), 0.1), torch.full((3, 4, 4), 0.01)])
    torch.testing.assert_close(psnr_db(x, y), torch.tensor([20.0, 40.0]))
    assert psnr_db(x, x).isposinf().all()


def test_psnr_and_ssim_are_those_of_scikit_image(pair: tuple[torch.Tensor, torch.Tensor]):
    x, y = pair
    for number in range(len(x)):
        one, other = (each[number].permute(1, 2, 0).double().numpy() for each in pair)
        assert psnr_db(x, y)[number].item() == pytest.approx(
            peak_signal_noise_ratio(one, other, data_range=1), abs=1e-4
        )
        theirs = structural_similarity(
            one, other, channel_axis=2, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim(x, y)[number].item() == pytest.approx(theirs, abs=1e-6)


def test_ssim_is_one_for_the_picture_itself_and_symmetric(pair: tuple[torch.Tensor, torch.Tensor]):
    x, y = pair
    torch.testing.assert_close(ssim(x, x), torch.ones(3, dtype=torch.double))
    torch.testing.assert_close(ssim(x, y), ssim(y, x))
    assert (ssim(x, y) < 1).all()


def test_perceptual_distance_is_that_of_unit_features():
    def features(x: torch.Tensor) -> list[torch.Tensor]:
        return [x, x.mean((2, 3))]

    x, y = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    x[:, 0], y[:, 1] = 0.5, 0.2
    assert perceptual(features, x, y).tolist() == pytest.approx([4.0])
    assert perceptual(features, x, 0.1 * x).tolist() == pytest.approx([0.0], abs=1e-6)
    assert perceptual(lambda x: x, x, x).tolist() == [0.0]


@pytest.mark.parametrize("measure", [psnr_db, ssim, lambda x, y: perceptual(lambda each: each, x, y)])
def test_pictures_of_other_sizes_are_refused(measure):
    with pytest.raises(ArgumentError, match="must both be B x C x H x W"):
        measure(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 17))


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(ArgumentError, match="at least 11 px"):
        ssim(torch.zeros(1, 3, 10, 16), torch.zeros(1, 3, 10, 16))


def test_a_permuted_batch_permutes_the_numbers(pair: tuple[torch.Tensor, torch.Tensor]):
    x, y = pair
    order = np.array([2, 0, 1])
    torch.testing.assert_close(ssim(x[order], y[order]), ssim(x, y)[order])


def test_a_change_is_scaled_to_a_level_both_ways(pair: tuple[torch.Tensor, torch.Tensor]):
    x = 0.25 + 0.5 * pair[0]
    y = x + 0.02 * torch.sign(pair[1] - pair[0])
    for level in (30.0, 34.0, 45.0):
        torch.testing.assert_close(psnr_db(x, at_psnr(x, y, torch.full((3,), level))), torch.full((3,), level))
    assert torch.equal(at_psnr(x, x, torch.full((3,), 30.0)), x)

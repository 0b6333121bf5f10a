import pytest

from gauntlet.errors import DataError
from gauntlet.readers.diffusion import read_denoiser


@pytest.mark.parametrize("missing", ["config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json"])
def test_a_part_that_is_missing_is_named(tmp_path, missing):
    (tmp_path / "unet").mkdir()
    (tmp_path / "scheduler").mkdir()
    for name in {"unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"}:
        if not name.endswith(missing):
            (tmp_path / name).write_text("{}")
    with pytest.raises(DataError, match=missing):
        read_denoiser(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_folder_is_read_and_edits_a_picture(tmp_path):
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    from gauntlet.shifts.imagenet_e_background import edit_background
    from gauntlet.shifts.imagenet_e_diffusion import DiffusionPrior

    torch.manual_seed(0)
    unet = diffusers.UNet2DModel(
        sample_size=32, block_out_channels=(32, 32), layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler()).save_pretrained(tmp_path)
    denoiser = read_denoiser(tmp_path)
    assert denoiser.size_px == 32
    assert len(denoiser.alphas_cumprod) == 1000
    x, masks = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    masks[..., 8:20, 8:20] = 1
    prior = DiffusionPrior(denoiser.predict, denoiser.alphas_cumprod)
    edited = edit_background(x, masks, amount=20, steps=3, prior=prior, generator=torch.Generator().manual_seed(0))
    assert torch.equal(edited[..., 8:20, 8:20], x[..., 8:20, 8:20])
    assert edited.isfinite().all()

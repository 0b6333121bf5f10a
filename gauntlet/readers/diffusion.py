"""Read an unconditional diffusion model from a folder in diffusers' layout."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gauntlet.errors import DataError, UnavailableError


@dataclass(frozen=True)
class Denoiser:
    """A noise predictor and its schedule.

    Attributes:
        predict: (x BCHW in about [-1, 1], t int64 B) -> noise, or noise and variance in twice the channels.
        alphas_cumprod: Share of the signal's variance after each step, shape T.
        size_px: Side of the pictures that it was trained on.
    """

    predict: Callable[[Tensor, Tensor], Tensor]
    alphas_cumprod: Tensor
    size_px: int


def read_denoiser(folder: Path, *, device: str = "cpu") -> Denoiser:
    """Read a U-Net and its schedule.

    Args:
        folder: A DDPM pipeline (`unet/`, `scheduler/`) or the U-Net's own folder with scheduler_config.json in it.
        device: Where the model is to run.

    Raises:
        DataError: A part is missing, or the weights are not safetensors.
        UnavailableError: diffusers is not installed.
    """
    unet = folder / "unet" if (folder / "unet").is_dir() else folder
    scheduler = folder / "scheduler" if (folder / "scheduler").is_dir() else folder
    wanted = (unet / "config.json", unet / "diffusion_pytorch_model.safetensors", scheduler / "scheduler_config.json")
    for path in wanted:
        if not path.exists():
            raise DataError(f"{path} must exist (unconditional DDPM, diffusers' layout); another kind of pipeline?")
    try:
        from diffusers import DDPMScheduler, UNet2DModel
    except ImportError:
        raise UnavailableError("a diffusion prior needs diffusers; install the extra `full`") from None
    try:
        model = UNet2DModel.from_pretrained(unet, use_safetensors=True).to(device).eval().requires_grad_(False)
        schedule = DDPMScheduler.from_pretrained(scheduler)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder} must hold an unconditional DDPM; {' '.join(str(error).split())}") from None
    if schedule.config.prediction_type != "epsilon":
        raise DataError(f"{scheduler} must predict noise (epsilon); got {schedule.config.prediction_type}")
    return Denoiser(
        predict=lambda x, t: model(x, t).sample,
        alphas_cumprod=torch.as_tensor(schedule.alphas_cumprod),
        size_px=int(model.config.sample_size),
    )

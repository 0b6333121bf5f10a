"""What the edited backgrounds may look like: the prior without weights, or a diffusion model of the user's."""

from functools import cache
from pathlib import Path

from gauntlet.errors import DataError
from gauntlet.readers.folders import named_folder
from gauntlet.shifts.imagenet_e_background import PixelPrior, Prior
from stages.machine import machine


def prior_folder(folders: Path, name: str | None) -> Path | None:
    """Find the diffusion model that the parameters name."""
    return None if name is None else named_folder(folders, name)


def edit_device(folder: Path | None) -> str:
    """Return where edits are computed: a GPU pays for a diffusion model alone, and the processor's bits are stable."""
    return "cpu" if folder is None else machine().device


@cache
def load_prior(folder: Path | None, *, size_px: int) -> Prior:
    """Return the prior, read once a process.

    Raises:
        DataError: The diffusion model was made for pictures of another size.
    """
    if folder is None:
        return PixelPrior()
    from gauntlet.readers.diffusion import read_denoiser
    from gauntlet.shifts.imagenet_e_diffusion import DiffusionPrior

    denoiser = read_denoiser(folder, device=edit_device(folder))
    if denoiser.size_px != size_px:
        raise DataError(
            f"{folder} is for pictures of {denoiser.size_px} px; the pictures must be so too; got {size_px}"
        )
    return DiffusionPrior(denoiser.predict, denoiser.alphas_cumprod)

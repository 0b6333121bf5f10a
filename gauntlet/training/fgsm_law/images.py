"""Where the training loop's batches come from: memory or the device, or a data set decoded by workers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gauntlet.errors import ArgumentError


@dataclass(frozen=True)
class TensorData:
    """Training images in memory; on the device they need no loader.

    Attributes:
        x: uint8, N x C x H x W.
        y: int64, N.
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if self.x.dtype != torch.uint8 or self.x.ndim != 4 or self.y.shape != self.x.shape[:1]:
            raise ArgumentError(
                f"x must be uint8, N x C x H x W, with N labels; got {self.x.dtype}, {tuple(self.x.shape)} and "
                f"{tuple(self.y.shape)} labels"
            )

    def to(self, device: str) -> "TensorData":
        """Return the same images on a device."""
        return TensorData(self.x.to(device), self.y.to(device))

    def batches(self, order: Tensor, *, batch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (x, y, index) where the images are.

        Args:
            order: int64, places in the training set, on the CPU.
            batch: Images a batch.
        """
        for index in order.to(self.x.device).split(batch):
            yield self.x[index], self.y[index], index


@dataclass(frozen=True)
class StreamData:
    """Training images that do not fit into memory; workers decode ahead and the copies overlap the arithmetic.

    Chance in the data set's own transform follows torch's global generator, which the loop lends for an epoch; a
    resumed run then ends with the same bits for the same number of workers.

    Attributes:
        pictures: Item i is (uint8 C x H x W, label, i).
        workers: Processes that decode; 0 decodes in this one.
        device: Where the batches go.
    """

    pictures: Dataset
    workers: int = 0
    device: str = "cpu"

    def to(self, device: str) -> "StreamData":
        """Return the same images, to be sent to a device."""
        return replace(self, device=device)

    def batches(self, order: Tensor, *, batch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (x, y, index) on the device.

        Args:
            order: int64, places in the training set, on the CPU.
            batch: Images a batch.
        """
        pin = torch.device(self.device).type == "cuda"
        loader = DataLoader(self.pictures, batch, sampler=order.tolist(), num_workers=self.workers, pin_memory=pin)
        for x, y, index in loader:
            yield tuple(part.to(self.device, non_blocking=True) for part in (x, y, index))

"""Any transformers object detector under torchvision's calling convention."""

import torch
from torch import Tensor, nn

from gauntlet.models.convnet import Normalize


class TransformersDetector(nn.Module):
    """A DETR-style model: queries in, boxes (xyxy pixels), labels from 1 and scores out.

    Attributes:
        size_px: Shorter side to which images are scaled.
    """

    def __init__(self, network: nn.Module, *, size_px: int) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.network = network
        self.size_px = size_px

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        """Detect in C x H x W images in [0, 1]."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Tensor) -> dict[str, Tensor]:
        height, width = image.shape[-2:]
        scale = self.size_px / min(height, width)
        scaled = torch.nn.functional.interpolate(
            image[None], size=(round(height * scale), round(width * scale)), mode="bilinear", antialias=True
        )
        found = self.network(pixel_values=self.normalize(scaled))
        scores, labels = found.logits[0].softmax(-1)[:, :-1].max(-1)
        x, y, w, h = found.pred_boxes[0].unbind(-1)
        boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)
        return {
            "boxes": boxes * boxes.new_tensor([width, height, width, height]),
            "labels": labels + 1,
            "scores": scores,
        }


def transformers_detector(folder: str, *, size_px: int = 800) -> TransformersDetector:
    """Load a DETR-style detector from a local folder in transformers' layout; nothing is fetched from a hub.

    Args:
        folder: With config.json and model.safetensors.
        size_px: Shorter side to which images are scaled.
    """
    from transformers import AutoModelForObjectDetection

    network = AutoModelForObjectDetection.from_pretrained(folder, local_files_only=True)
    return TransformersDetector(network, size_px=size_px)

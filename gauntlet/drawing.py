"""Draw boxes into pictures, for people to look at."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PALETTE = ("#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c", "#fabebe")
FONT_PX = 10


def draw_boxes(
    image: np.ndarray, boxes_xyxy: np.ndarray, names: Sequence[str], *, scores: Sequence[float] = (), side_px: int = 240
) -> np.ndarray:
    """Return a copy of an image, no larger than `side_px`, with named boxes.

    Args:
        image: uint8 [H, W, 3] RGB.
        boxes_xyxy: float [N, 4], px of `image`.
        names: One for each box; a name always has the same colour.
        scores: One for each box, written behind its name; or none.
        side_px: The longer side of the result at most, so that galleries stay small.

    Returns:
        uint8 [h, w, 3].
    """
    scale = min(1.0, side_px / max(image.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
    canvas, font = ImageDraw.Draw(picture), ImageFont.load_default(FONT_PX)
    texts = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)] if len(scores) else names
    for box, name, text in zip(np.asarray(boxes_xyxy, float) * scale, names, texts, strict=True):
        colour = PALETTE[crc32(name.encode()) % len(PALETTE)]
        left, top = np.clip(box[:2], 0, [width - 1, height - 1])
        right, bottom = np.clip(box[2:], [left, top], [max(left, width - 1), max(top, height - 1)])
        canvas.rectangle((left, top, right, bottom), outline=colour, width=1)
        place = canvas.textbbox((left + 1, max(0, top - FONT_PX - 2)), text, font=font)
        canvas.rectangle(place, fill=colour)
        canvas.text((left + 1, max(0, top - FONT_PX - 2)), text, fill="black", font=font)
    return np.asarray(picture)

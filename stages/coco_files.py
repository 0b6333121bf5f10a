"""Write a detection dataset in COCO's format: loose JPEG images and one instances JSON."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from stages.files import write_json


def annotation(mask: np.ndarray, *, category_id: int, **extra: object) -> dict:
    """Describe one visible mask: tight box, area and run-length code; `extra` are further keys of the record."""
    code = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    x, y, width, height = (float(value) for value in rle.toBbox(code))
    return {
        "category_id": category_id,
        "bbox": [x, y, width, height],
        "area": int(mask.sum()),
        "iscrowd": 0,
        "segmentation": {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode()},
        **extra,
    }


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a uint8 H x W x 3 image as JPEG, always with the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, "JPEG", quality=92, subsampling=0)


def write_instances(
    path: Path,
    images: Sequence[dict],
    annotations: Iterable[Sequence[dict]],
    *,
    categories: Sequence[dict],
    about: dict,
) -> None:
    """Write an instances JSON.

    Args:
        path: The file.
        images: COCO image records with their ids.
        annotations: For each image its annotations, still without ids.
        categories: COCO category records.
        about: The `info` record.
    """
    numbered: list[dict] = []
    for image, found in zip(images, annotations, strict=True):
        numbered += [
            {"id": len(numbered) + n, "image_id": image["id"], **each} for n, each in enumerate(found, start=1)
        ]
    content = {"info": about, "images": list(images), "annotations": numbered, "categories": list(categories)}
    write_json(path, content)

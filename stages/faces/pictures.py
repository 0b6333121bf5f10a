"""Open pictures that people bring, refuse what cannot be protected, and write them with all they carried."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from gauntlet.errors import ArgumentError, DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WEBP"}
"""What Pillow calls a file, and what it is written as; of an MPO, which phones write, the main picture."""

LEAST_PX = 32
MAX_PIXELS = 50_000_000
JPEG_QUALITY = 95

PLAIN = ("RGB", "RGBA", "L", "LA", "P", "PA", "1")
PNG_DEPTH_AT = 24
"""Place of the bit depth in a PNG; Pillow reads 16 bits a colour as 8 without a word."""

BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""From upright to as stored, by EXIF orientation."""

ORIENTATION = 0x0112


@dataclass(frozen=True)
class Picture:
    """A picture, upright.

    Attributes:
        path: Where it lies.
        rgb: uint8, H x W x 3.
        alpha: uint8, H x W, or None.
        format: "PNG", "JPEG" or "WEBP".
        orientation: Of the stored pixels, as EXIF counts (1: upright).
        carried: What came with it (EXIF, colour profile, texts, resolution), as Pillow's `save` takes it.
    """

    path: Path
    rgb: np.ndarray
    alpha: np.ndarray | None
    format: str
    orientation: int
    carried: dict[str, object]


def listed(folder: Path) -> list[Path]:
    """List the pictures below a folder, by their suffix.

    Raises:
        ArgumentError: It is no folder, or holds none.
    """
    if not folder.is_dir():
        raise ArgumentError(f"FOLDER must be a folder of pictures; got {folder}; misspelt?")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ArgumentError(f"FOLDER must hold pictures ({', '.join(SUFFIXES)}); {folder} holds none; another folder?")
    return found


def load(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Open a picture.

    Args:
        path: PNG, JPEG or WebP.
        max_pixels: More are refused before they are decoded.

    Raises:
        DataError: It is damaged, huge, tiny, animated, of another format, or not of 8 bits in RGB or grey.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is asked below
            with Image.open(path) as image:
                _check(image, path, max_pixels=max_pixels)
                return _taken(image, path)
    except Image.DecompressionBombError:
        raise DataError(f"{path} must have at most {max_pixels} pixels; it has many more; a bomb?") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path} must be a whole PNG, JPEG or WebP; {reason}; truncated, or not a picture?") from None


def _check(image: Image.Image, path: Path, *, max_pixels: int) -> None:
    if image.format not in FORMATS:
        raise DataError(f"{path} must be PNG, JPEG or WebP; it is {image.format}; renamed?")
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(
            f"{path} must have at most {max_pixels} pixels; it has {width} x {height}; --max-pixels allows more"
        )
    if min(width, height) < LEAST_PX:
        raise DataError(f"{path} must be at least {LEAST_PX} px wide and high; it is {width} x {height}; an icon?")
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise DataError(f"{path} must be one picture; it is animated ({image.n_frames} frames); save one frame of it")
    if image.mode not in PLAIN and not image.mode.startswith(("I", "F")):
        raise DataError(f"{path} must be RGB or grey; it is {image.mode}; convert it with its colour profile first")
    if image.mode not in PLAIN or _depth(path, image.format) > 8:
        raise DataError(f"{path} must have 8 bits a colour; it has more ({image.mode}); save it with 8 bits")


def _depth(path: Path, kind: str) -> int:
    if kind != "PNG":
        return 8
    with path.open("rb") as file:
        return file.read(PNG_DEPTH_AT + 1)[PNG_DEPTH_AT]


def _taken(image: Image.Image, path: Path) -> Picture:
    orientation = int(image.getexif().get(ORIENTATION, 1))
    carried = _carried(image)
    upright = ImageOps.exif_transpose(image)
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA")
    plain = upright.convert("RGBA" if transparent else "RGB")
    return Picture(
        path=path,
        rgb=np.array(plain.convert("RGB")),
        alpha=np.array(plain.getchannel("A")) if transparent else None,
        format=FORMATS[image.format],
        orientation=orientation if orientation in BACK else 1,
        carried=carried,
    )


def _carried(image: Image.Image) -> dict[str, object]:
    kinds = ("exif", "icc_profile", "dpi", "xmp", "comment")
    carried = {kind: image.info[kind] for kind in kinds if image.info.get(kind)}
    if image.format == "PNG":
        carried.pop("comment", None)
        carried.pop("xmp", None)  # in a PNG it is one of the texts
        carried["pnginfo"] = _texts(image)
    if image.format == "WEBP":
        carried.pop("dpi", None)
        carried.pop("comment", None)
    return carried


def _texts(image: Image.Image) -> PngImagePlugin.PngInfo:
    kept = PngImagePlugin.PngInfo()
    image.load()  # texts may follow the pixels
    for key, value in getattr(image, "text", {}).items():
        if isinstance(value, PngImagePlugin.iTXt):
            kept.add_itxt(key, value, value.lang or "", value.tkey or "")
        else:
            kept.add_text(key, value)
    return kept


def save(picture: Picture, rgb: np.ndarray, path: Path, *, quality: int = JPEG_QUALITY) -> None:
    """Write other pixels (uint8, H x W x 3) in a picture's place, with its format, orientation and all it carried.

    PNG and WebP are lossless; JPEG keeps the full resolution of the colours.
    """
    image = Image.fromarray(rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    if picture.orientation in BACK:
        image = image.transpose(BACK[picture.orientation])
    how = {"PNG": {}, "JPEG": {"quality": quality, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, picture.format, **how[picture.format], **picture.carried)


def each(paths: list[Path], *, max_pixels: int) -> Iterator[tuple[Path, Picture | DataError]]:
    """Yield each path with its picture, or with what is wrong with it."""
    for path in paths:
        try:
            yield path, load(path, max_pixels=max_pixels)
        except DataError as error:
            yield path, error

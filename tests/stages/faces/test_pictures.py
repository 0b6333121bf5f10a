"""Pictures that people bring: what they carry is kept, what cannot be protected is refused in one line."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from gauntlet.errors import ArgumentError, DataError
from stages.faces.pictures import listed, load, save
from tests.stages.faces.conftest import ramp, write

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010E] = "a description"
    return found.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_picture_comes_back_as_it_lay(folder, suffix, orientation):
    how = {"lossless": True} if suffix == "webp" else {}
    path = write(folder / f"a.{suffix}", exif=exif(orientation), icc_profile=PROFILE, **how)
    picture = load(path)
    assert picture.rgb.shape[:2] == ((96, 80) if orientation > 4 else (80, 96))
    save(picture, picture.rgb, folder / "out" / path.name)
    with Image.open(path) as before, Image.open(folder / "out" / path.name) as after:
        assert (np.asarray(before) == np.asarray(after)).all()
        assert after.getexif()[0x0112] == orientation
        assert after.getexif()[0x010E] == "a description"
        assert after.info["icc_profile"] == PROFILE


def test_a_jpeg_keeps_exif_profile_resolution_and_comment(folder):
    path = write(folder / "a.jpg", exif=exif(6), icc_profile=PROFILE, dpi=(300, 300), comment=b"hello")
    picture = load(path)
    assert picture.rgb.shape == (96, 80, 3)  # upright
    save(picture, picture.rgb, folder / "b.jpg")
    with Image.open(folder / "b.jpg") as after:
        assert after.size == (96, 80)
        assert after.getexif()[0x0112] == 6
        assert (after.info["icc_profile"], after.info["dpi"], after.info["comment"]) == (PROFILE, (300, 300), b"hello")
    assert np.abs(load(folder / "b.jpg").rgb.astype(int) - picture.rgb).max() <= 4


def test_texts_and_transparency_are_kept(folder):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "someone")
    texts.add_itxt("XML:com.adobe.xmp", "<x/>", "en", "key")
    rgba = np.dstack([ramp(64, 48), np.arange(48, dtype=np.uint8)[:, None].repeat(64, 1)])
    picture = load(write(folder / "a.png", rgba, pnginfo=texts))
    assert (picture.alpha == rgba[..., 3]).all()
    save(picture, picture.rgb, folder / "b.png")
    with Image.open(folder / "b.png") as after:
        assert (np.asarray(after) == rgba).all()
        assert after.text == {"Author": "someone", "XML:com.adobe.xmp": "<x/>"}


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1"])
def test_grey_and_palette_pictures_become_colour(folder, mode):
    Image.fromarray(ramp(64, 48)).convert(mode).save(folder / "a.png")
    picture = load(folder / "a.png")
    assert picture.rgb.shape == (48, 64, 3)
    assert (picture.alpha is not None) == (mode == "LA")


def deep_colour(path):
    """Write a PNG of 16 bits in each of three colours, which Pillow cannot write."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + bytes(6 * 40) for _ in range(40))
    header = struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def bad(path, kind):
    """Write a picture that must be refused."""
    good = Image.fromarray(ramp(64, 48))
    if kind == "deep colour":
        deep_colour(path)
    elif kind == "deep grey":
        Image.fromarray(np.zeros((40, 40), np.uint16)).save(path)
    elif kind == "cmyk":
        good.convert("CMYK").save(path, "JPEG")
    elif kind == "animated":
        good.save(path, save_all=True, append_images=[Image.fromarray(ramp(64, 48, phase=9))])
    elif kind == "truncated":
        good.save(path)
        path.write_bytes(path.read_bytes()[:-400])
    elif kind == "text":
        path.write_text("not a picture")
    elif kind == "gif":
        good.save(path, "GIF")
    elif kind == "tiny":
        good.resize((31, 40)).save(path)
    return path


BAD = [
    ("deep colour", "a.png", r"must have 8 bits a colour; it has more"),
    ("deep grey", "a.png", r"must have 8 bits a colour; it has more \(I;16\)"),
    ("cmyk", "a.jpg", r"must be RGB or grey; it is CMYK"),
    ("animated", "a.webp", r"must be one picture; it is animated \(2 frames\)"),
    ("animated", "a.png", r"must be one picture; it is animated \(2 frames\)"),
    ("truncated", "a.png", r"must be a whole PNG, JPEG or WebP; .*; truncated"),
    ("truncated", "a.jpg", r"must be a whole PNG, JPEG or WebP; .*; truncated"),
    ("text", "a.png", r"must be a whole PNG, JPEG or WebP"),
    ("gif", "a.png", r"must be PNG, JPEG or WebP; it is GIF; renamed\?"),
    ("tiny", "a.png", r"must be at least 32 px wide and high; it is 31 x 40"),
]


@pytest.mark.parametrize(("kind", "name", "words"), BAD, ids=lambda value: str(value)[:12])
def test_what_cannot_be_protected_is_refused_in_one_line(folder, kind, name, words):
    with pytest.raises(DataError, match=words) as caught:
        load(bad(folder / name, kind))
    assert str(caught.value).startswith(str(folder / name))
    assert "\n" not in str(caught.value)


def test_a_huge_picture_is_refused_before_it_is_decoded(folder, monkeypatch):
    path = write(folder / "a.png")
    with pytest.raises(DataError, match=r"must have at most 7679 pixels; it has 96 x 80; --max-pixels"):
        load(path, max_pixels=96 * 80 - 1)
    assert load(path, max_pixels=96 * 80).rgb.shape == (80, 96, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 96 * 40 + 1)  # Pillow warns; our limit decides
    assert load(path).rgb.shape == (80, 96, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match="it has many more; a bomb"):
        load(path)


def test_a_folder_is_listed_by_suffix(folder):
    for name in ("b.PNG", "sub/a.jpeg", "c.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert [path.name for path in listed(folder)] == ["b.PNG", "a.jpeg"]
    with pytest.raises(ArgumentError, match="FOLDER must be a folder of pictures"):
        listed(folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(ArgumentError, match="FOLDER must hold pictures"):
        listed(folder / "empty")

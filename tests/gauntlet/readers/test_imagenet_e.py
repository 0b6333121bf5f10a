import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import DataError
from gauntlet.readers.imagenet_e import imagenet_wnids, read_official

WNIDS = ["n01440764", "n01443537", "n01484850"]
FOLDERS = {"original": "ori", "background_smooth": "bg_-20", "position": "rp"}


@pytest.fixture
def official(tmp_path):
    """Write the authors' layout: two pictures of one class, one of another, in three settings."""
    for place in FOLDERS.values():
        for number, wnid in enumerate((WNIDS[0], WNIDS[0], WNIDS[2]), start=1):
            path = tmp_path / place / wnid / f"ILSVRC2012_val_{number:08d}.{'png' if place == 'rp' else 'JPEG'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new(("RGB", "L", "CMYK")[number - 1], (30 + number, 20)).save(
                path.with_suffix(".png") if path.suffix == ".png" and number < 3 else path.with_suffix(".JPEG")
            )
    return tmp_path


def test_pictures_are_paired_by_key_and_labelled_by_wnid(official):
    found = read_official(official, settings=FOLDERS, wnids=WNIDS)
    assert list(found.images) == list(FOLDERS)
    assert not found.left_out
    for images in found.images.values():
        assert [image.key for image in images] == [f"ILSVRC2012_val_{number:08d}" for number in (1, 2, 3)]
        assert [image.label for image in images] == [0, 0, 2]


def test_grey_and_cmyk_become_rgb(official):
    for image in read_official(official, settings=FOLDERS, wnids=WNIDS).images["original"]:
        assert image.open().shape[2] == 3
        assert image.open().dtype == np.uint8


def test_what_one_setting_lacks_is_left_out_and_named(official):
    (official / "bg_-20" / WNIDS[0] / "ILSVRC2012_val_00000002.JPEG").unlink()
    found = read_official(official, settings=FOLDERS, wnids=WNIDS)
    assert found.left_out == ["ILSVRC2012_val_00000002"]
    assert {len(images) for images in found.images.values()} == {2}


def _truncate(folder):
    path = folder / "ori" / WNIDS[0] / "ILSVRC2012_val_00000001.JPEG"
    path.write_bytes(path.read_bytes()[:200])
    read_official(folder, settings=FOLDERS, wnids=WNIDS).images["original"][0].open()


def _unknown_class(folder):
    (folder / "ori" / "elephant").mkdir()
    read_official(folder, settings=FOLDERS, wnids=WNIDS)


def _two_of_a_key(folder):
    (folder / "ori" / WNIDS[1]).mkdir()
    Image.new("RGB", (4, 4)).save(folder / "ori" / WNIDS[1] / "ILSVRC2012_val_00000001.JPEG")
    read_official(folder, settings=FOLDERS, wnids=WNIDS)


def _other_class(folder):
    (folder / "rp" / WNIDS[0]).rename(folder / "rp" / WNIDS[1])
    read_official(folder, settings=FOLDERS, wnids=WNIDS)


def _no_folder(folder):
    read_official(folder, settings=FOLDERS | {"direction": "rd"}, wnids=WNIDS)


def _no_originals(folder):
    read_official(folder, settings={"position": "rp"}, wnids=WNIDS)


def _nothing_shared(folder):
    for path in (folder / "rp").rglob("*.*"):
        path.rename(path.with_stem(f"{path.stem}_rp"))
    read_official(folder, settings=FOLDERS, wnids=WNIDS)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_truncate, "ILSVRC2012_val_00000001.JPEG.*truncated"),
        (_unknown_class, "elephant.*wnid"),
        (_two_of_a_key, "come once"),
        (_other_class, "must have one class"),
        (_no_folder, "rd must be a folder"),
        (_no_originals, "originals"),
        (_nothing_shared, "other file names"),
    ],
)
def test_damage_is_named(official, damage, said):
    with pytest.raises(DataError, match=said):
        damage(official)


def test_the_wnids_are_the_thousand_in_order():
    wnids = imagenet_wnids()
    assert len(wnids) == 1000
    assert wnids == sorted(wnids)
    assert wnids[:3] == WNIDS

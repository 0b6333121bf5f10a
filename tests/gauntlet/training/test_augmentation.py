import pytest
import torch
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.augmentation import (
    BatchAugmentation,
    augment,
    auto_augment,
    crop_and_mirror,
    cutmix,
    cutout,
    mixup,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 6, *, size: int = 8) -> torch.Tensor:
    return torch.randint(1, 256, (count, 3, size, size + 2), generator=generator(), dtype=torch.uint8)


def test_every_crop_is_a_window_of_its_padded_image():
    x = images(40)
    out = crop_and_mirror(x, crop_px=2, mirror=True, generator=generator(1))
    padded, places, mirrored = functional.pad(x, [2] * 4), set(), 0
    for number in range(40):
        windows = {
            (row, column, flip): padded[number, :, row : row + 8, column : column + 10].flip(-1)
            if flip
            else padded[number, :, row : row + 8, column : column + 10]
            for row in range(5)
            for column in range(5)
            for flip in (False, True)
        }
        found = [place for place, window in windows.items() if torch.equal(window, out[number])]
        assert len(found) == 1
        places.add(found[0][:2])
        mirrored += found[0][2]
    assert len(places) > 15
    assert 10 < mirrored < 30


def test_no_crop_and_no_mirror_is_the_identity():
    x = images()
    assert torch.equal(crop_and_mirror(x, crop_px=0, mirror=False, generator=generator()), x)


def test_cutout_is_the_released_codes_square():
    x = torch.ones(500, 1, 8, 10)
    out = cutout(x, side_px=4, generator=generator())
    for image in out[:, 0]:
        rows, columns = (image == 0).any(1).nonzero()[:, 0], (image == 0).any(0).nonzero()[:, 0]
        assert len(rows) in (2, 3, 4)
        assert len(columns) in (2, 3, 4)
        assert (image == 0).sum() == len(rows) * len(columns)
    # a centre at row r blackens r - 2 .. r + 1: row 0 is black for r in 0..2, row 7 for r in 6, 7
    black = (out[:, 0] == 0).any(2).float().mean(0)
    assert black.tolist() == pytest.approx([3 / 8, 4 / 8, 4 / 8, 4 / 8, 4 / 8, 4 / 8, 3 / 8, 2 / 8], abs=0.08)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_labels_are_mixed_by_the_share_of_the_pixels(mix):
    x = torch.eye(4)[:, :, None, None].expand(4, 4, 16, 16).contiguous()  # image n is 1 in channel n alone
    shares = []
    for seed in range(20):
        out = mix(x, torch.eye(4), alpha=1.0, generator=generator(seed))
        torch.testing.assert_close(out.x.mean((2, 3)), out.target)
        torch.testing.assert_close(out.target.sum(1), torch.ones(4))
        shares.append(out.target[0, 0].item())
    assert max(shares) - min(shares) > 0.5


def test_mixup_mixes_every_pixel_alike_and_cutmix_none():
    x, target = torch.rand(4, 3, 8, 8, generator=generator()), torch.eye(4)
    mixed = mixup(x, target, alpha=1.0, generator=generator(1))
    share = mixed.target[0, 0]
    torch.testing.assert_close(mixed.x, share * x + (1 - share) * x.roll(1, 0))
    pasted = cutmix(x, target, alpha=1.0, generator=generator(1)).x
    assert ((pasted == x) | (pasted == x.roll(1, 0))).all()


def test_the_default_only_scales():
    x, y = images(), torch.arange(6) % 3
    out = augment(x, y, BatchAugmentation(), classes=3, generator=generator())
    assert torch.equal(out.x, x.float() / 255)
    assert torch.equal(out.target, functional.one_hot(y, 3).float())


@pytest.mark.parametrize("auto", [None, "cifar10"])
def test_everything_at_once_follows_the_generator_and_stays_in_the_box(auto):
    how = BatchAugmentation(crop_px=2, mirror=True, cutout_px=2, mixup=0.8, cutmix=1.0, auto_augment=auto)
    x, y = images(), torch.arange(6) % 3
    before = torch.get_rng_state()
    first, second, other = (augment(x, y, how, classes=3, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.x, second.x)
    assert not torch.equal(first.x, other.x)
    assert first.x.min() >= 0
    assert first.x.max() <= 1
    assert first.x.dtype == torch.float32


def test_channels_last_changes_the_layout_alone():
    how, x, y = BatchAugmentation(crop_px=2, mirror=True, cutout_px=2), images(), torch.arange(6) % 3
    plain, last = (
        augment(x, y, how, classes=3, generator=generator(), channels_last=layout).x for layout in (False, True)
    )
    assert torch.equal(plain, last)
    assert last.is_contiguous(memory_format=torch.channels_last)


def test_the_chance_of_mixing():
    how, x, y = BatchAugmentation(mixup=1.0, mix_chance=0.3), images(), torch.arange(6)
    draws = generator()
    mixed = [augment(x, y, how, classes=6, generator=draws).target.max() < 1 for _ in range(200)]
    assert 0.2 < sum(mixed) / 200 < 0.4


def test_auto_augment_treats_each_image_apart():
    x = images(1).expand(12, -1, -1, -1)
    assert len({image.numpy().tobytes() for image in auto_augment(x, policy="cifar10", generator=generator())}) > 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"auto_augment": "mnist"}, "one of cifar10"), ({"crop_px": -1}, "crop_px"), ({"mix_chance": 2.0}, "mix_chance")],
)
def test_bad_settings_are_named(settings, said):
    with pytest.raises(ArgumentError, match=said):
        BatchAugmentation(**settings)

"""Checkpoints as trainers write them, and those that must be refused."""

import argparse
import os
import pickle

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from gauntlet.errors import DataError
from gauntlet.models.registry import build
from gauntlet.readers.checkpoints import load_checkpoint


def small(classes=4, **settings):
    return build("gauntlet:preact_resnet18", classes=classes, settings={"width": 2, **settings})


def wrapped(classes=4, **settings):
    return build("torchvision:mobilenet_v3_small", classes=classes, settings=settings)


def same(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def prefixed(weights, prefix):
    return {f"{prefix}{name}": value for name, value in weights.items()}


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth"])
def test_a_plain_file_of_weights(tmp_path, suffix):
    source, model = small(), small()
    path = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(source.state_dict(), path)
    assert not same(model, source)
    load_checkpoint(model, path)
    assert same(model, source)


def test_the_format_before_zip(tmp_path):
    source, model = small(), small()
    torch.save(source.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    load_checkpoint(model, tmp_path / "old.pth")
    assert same(model, source)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "epoch": 3, "best": 0.5},
        lambda weights: {"model": prefixed(weights, "module."), "optimizer": {"state": {}, "param_groups": []}},
        lambda weights: {"state_dict": prefixed(weights, "module.model.")},
        lambda weights: prefixed(weights, "_orig_mod."),
        lambda weights: {"net": prefixed(weights, "module."), "acc": 93.0},
        lambda weights: {"state_dict": weights, "args": argparse.Namespace(lr=0.1, model="x")},
        lambda weights: {
            "0.mean": torch.zeros(1, 3, 1, 1),
            "0.std": torch.ones(1, 3, 1, 1),
            **prefixed(weights, "1."),
        },
    ],
)
def test_what_trainers_wrap_around_is_taken_off(tmp_path, wrap):
    source, model = small(), small()
    torch.save(wrap(source.state_dict()), tmp_path / "a.pth")
    load_checkpoint(model, tmp_path / "a.pth")
    assert same(model, source)


def test_torchs_own_average_and_files_without_counters(tmp_path):
    source = small()
    torch.save({"model_ema": torch.optim.swa_utils.AveragedModel(source).state_dict()}, tmp_path / "a.pth")
    old = {name: value for name, value in source.state_dict().items() if "num_batches" not in name}
    torch.save(prefixed(old, "module."), tmp_path / "b.pth")
    for name in ("a.pth", "b.pth"):
        model = small()
        load_checkpoint(model, tmp_path / name)
        assert same(model, source)


def test_the_averaged_weights_are_taken(tmp_path):
    raw, averaged, model = small(), small(), small()
    torch.save({"state_dict": raw.state_dict(), "state_dict_ema": averaged.state_dict()}, tmp_path / "a.pth")
    load_checkpoint(model, tmp_path / "a.pth")
    assert same(model, averaged)


def test_a_checkpoint_of_the_network_inside(tmp_path):
    source, model = wrapped(), wrapped()
    for weights in (source.network.state_dict(), source.state_dict(), prefixed(source.network.state_dict(), "module.")):
        torch.save(weights, tmp_path / "a.pth")
        model = wrapped()
        load_checkpoint(model, tmp_path / "a.pth")
        assert same(model, source)


def test_an_older_timm_named_swins_layers_otherwise(tmp_path):
    """Its downsampling stood at the end of a stage, its head was one layer, and masks were saved."""
    settings = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2), "img_size": 64, "window_size": 2}
    name = "swin_tiny_patch4_window7_224"
    source = timm.create_model(name, num_classes=4, **settings)
    old = {"layers.0.blocks.0.attn_mask": torch.zeros(1)}
    for key, value in source.state_dict().items():
        for number in (1, 2, 3):
            key = key.replace(f"layers.{number}.downsample", f"layers.{number - 1}.downsample")
        old[key.replace("head.fc.", "head.")] = value
    torch.save({"state_dict": old}, tmp_path / "swin.pth")
    model = build(f"timm:{name}", classes=4, settings=settings)
    load_checkpoint(model, tmp_path / "swin.pth")
    assert same(model.network, source)


class Code:
    def __reduce__(self):
        return (exec, ("raise SystemExit('owned')",))


class Shell:
    def __reduce__(self):
        return (os.system, ("exit 1",))


@pytest.mark.parametrize(
    ("save", "part"),
    [
        (lambda path: torch.save({"state_dict": small().state_dict(), "hook": Code()}, path), "a pickle with code"),
        (lambda path: torch.save(small(), path), "a pickle with code, which is not run"),
        (lambda path: torch.save({"weights": Shell()}, path), "a pickle with code, which is not run"),
        (lambda path: path.write_bytes(pickle.dumps({"a": Code()}, 2)), "a pickle with code, which is not run"),
        (lambda path: path.write_bytes(pickle.dumps({"a": Code()}, 4)), "a whole file of torch.save.*a plain pickle"),
        (lambda path: torch.save(small(classes=7).state_dict(), path), "must have 4 classes; it has 7"),
        (lambda path: torch.save(small(width=4).state_dict(), path), r"must be \(2, 3, 3, 3\); got \(4, 3, 3, 3\)"),
        (lambda path: torch.save({"epoch": 3}, path), "must hold weights; it holds epoch"),
        (lambda path: torch.save(torch.zeros(3), path), "weights by name; got Tensor"),
        (lambda path: path.write_bytes(b"not a checkpoint at all"), "must be a whole file"),
        (lambda path: path.write_bytes(b""), "must be a whole file"),
        (
            lambda path: torch.save({k: v for k, v in small().state_dict().items() if "head" not in k}, path),
            "lacks 2 weights: head.bias, head.weight; another architecture",
        ),
        (lambda path: torch.save(small().state_dict() | {"fc.weight": torch.zeros(2)}, path), "besides 1 weights: fc"),
    ],
)
def test_what_does_not_fit_is_one_line_and_changes_nothing(tmp_path, save, part):
    save(tmp_path / "a.pth")
    model, before = small(), small()
    before.load_state_dict(model.state_dict())
    with pytest.raises(DataError, match=part) as caught:
        load_checkpoint(model, tmp_path / "a.pth")
    assert "\n" not in str(caught.value)
    assert same(model, before)


def test_truncated_and_missing_files_are_named(tmp_path):
    for name, save in (("a.safetensors", save_file), ("a.pth", torch.save)):
        save(small().state_dict(), tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-3000])
        with pytest.raises(DataError, match=r"a\.\w+ must be a whole .*truncated") as caught:
            load_checkpoint(small(), tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"b\.pth must exist"):
        load_checkpoint(small(), tmp_path / "b.pth")


def test_another_normalisation_is_refused(tmp_path):
    source = wrapped()
    half = {"0.mean": torch.full((3,), 0.5), "0.std": torch.full((3,), 0.5)}
    torch.save(half | prefixed(source.network.state_dict(), "1."), tmp_path / "a.pth")
    with pytest.raises(DataError, match=r"0\.mean is \[0\.5, 0\.5, 0\.5\].*set `preprocessing`"):
        load_checkpoint(wrapped(), tmp_path / "a.pth")
    model = wrapped(preprocessing="inception")
    load_checkpoint(model, tmp_path / "a.pth")
    assert same(model, source)


def test_a_network_that_keeps_a_mean_of_its_own(tmp_path):
    class Whitened(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.rand(3))
            self.head = nn.Linear(3, 2)

    source, model = Whitened(), Whitened()
    torch.save(source.state_dict(), tmp_path / "a.pth")
    load_checkpoint(model, tmp_path / "a.pth")
    assert same(model, source)

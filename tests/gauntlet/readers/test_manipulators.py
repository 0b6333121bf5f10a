"""Editors from folders: ours round trip; the published layouts, found by their own file names; what is refused."""

import json

import pytest
import torch
from safetensors.torch import save_file

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.attgan import AttGan, AttGanShape
from gauntlet.models.critics import AttGanCritic, StarGanCritic
from gauntlet.models.manipulators import fingerprint
from gauntlet.models.stargan import StarGan, StarGanShape
from gauntlet.readers.manipulators import FEATURES, build, read_face_features, read_manipulator, read_manipulators

NAMES = ("black_hair", "glasses")
SETTINGS = {
    "stargan": {"width": 4, "blocks": 1, "kernel": 3, "norm": "batch"},
    "attgan": {"width": 4, "layers": 3, "shortcuts": 1, "injections": 0},
    "attention": {"width": 4, "blocks": 1, "kernel": 3},
    FEATURES: {"width": 4, "depth": 2},
}


def write(folder, name):
    """Write a model folder as the stage does."""
    network = build(name, NAMES, settings=SETTINGS[name])
    (folder / name).mkdir(parents=True)
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, folder / name / "model.safetensors"
    )
    card = {"architecture": name, "classes": list(NAMES), "settings": SETTINGS[name]}
    (folder / name / "model.json").write_text(json.dumps(card))
    return network


def test_our_folders_round_trip(tmp_path):
    written = {name: write(tmp_path, name) for name in SETTINGS}
    found = read_manipulators(tmp_path)
    assert list(found) == ["attention", "attgan", "stargan"]
    for name, manipulator in found.items():
        assert manipulator.name == name
        assert manipulator.attributes == NAMES
        assert fingerprint(manipulator.generator) == fingerprint(written[name])
        assert manipulator.edit(torch.rand(1, 3, 16, 16), 1).shape == (1, 3, 16, 16)
    phi = read_face_features(tmp_path / FEATURES)
    assert fingerprint(phi) == fingerprint(written[FEATURES])
    assert [tuple(maps.shape) for maps in phi.features(torch.rand(2, 3, 16, 16))] == [(2, 4, 8, 8), (2, 8, 4, 4)]
    assert phi(torch.rand(2, 3, 16, 16)).shape == (2, 2)


def with_statistics(weights):
    """Add what the published instance normalisations keep and nothing uses."""
    found = {}
    for name, value in weights.items():
        found[name] = value
        if name.endswith("bias") and value.dim() == 1:
            stem = name.removesuffix("bias")
            found |= {f"{stem}running_mean": torch.ones_like(value), f"{stem}running_var": torch.ones_like(value)}
    return found


def test_the_published_stargan(tmp_path):
    folder = tmp_path / "stargan"
    folder.mkdir()
    generator = StarGan(StarGanShape(5, width=4, blocks=2))
    for step in (9000, 200000):
        torch.save(with_statistics(generator.state_dict()), folder / f"{step}-G.ckpt")
        torch.save(StarGanCritic(5, size_px=32, width=4, layers=3).state_dict(), folder / f"{step}-D.ckpt")
        generator = StarGan(StarGanShape(5, width=4, blocks=2)) if step == 9000 else generator
    found = read_manipulators(tmp_path)["stargan"]
    assert found.attributes == ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
    assert fingerprint(found.generator) == fingerprint(generator)
    assert found.edit(torch.rand(2, 3, 32, 32), torch.tensor([0, 4])).shape == (2, 3, 32, 32)


@pytest.mark.parametrize(("shortcuts", "injections"), [(1, 0), (1, 1), (3, 2), (0, 1)])
def test_the_published_attgan(tmp_path, shortcuts, injections):
    folder = tmp_path / "attgan"
    folder.mkdir()
    shape = AttGanShape(13, width=8, layers=4, shortcuts=shortcuts, injections=injections)
    generator, critic = AttGan(shape), AttGanCritic(13, size_px=32, width=4, layers=3, hidden=16)
    torch.save({"G": generator.state_dict(), "D": critic.state_dict(), "optim_G": {}}, folder / "weights.49.pth")
    found = read_manipulator(folder)
    assert found.generator.shape == shape
    assert found.attributes[6] == "Eyeglasses"
    assert tuple(found.levels) == (-0.5, 0.5, 2.0)
    assert fingerprint(found.generator) == fingerprint(generator)
    assert found.edit(torch.rand(1, 3, 32, 32), 6).shape == (1, 3, 32, 32)


def test_a_model_of_other_attributes_names_them(tmp_path):
    torch.save(StarGan(StarGanShape(2, width=4, blocks=1)).state_dict(), tmp_path / "1-G.ckpt")
    torch.save(StarGanCritic(2, size_px=16, width=4, layers=2).state_dict(), tmp_path / "1-D.ckpt")
    with pytest.raises(DataError, match=r"attributes.json must name the 2 labels .* got 5"):
        read_manipulator(tmp_path)
    (tmp_path / "attributes.json").write_text('["Male", "Young"]')
    assert read_manipulator(tmp_path).attributes == ("Male", "Young")


def test_incomplete_folders(tmp_path):
    with pytest.raises(DataError, match="must hold a folder a manipulator"):
        read_manipulators(tmp_path)
    write(tmp_path, "stargan")
    with pytest.raises(DataError, match="must hold the attribute network; it holds a manipulator"):
        read_face_features(tmp_path / "stargan")
    write(tmp_path, FEATURES)
    with pytest.raises(DataError, match="must hold a manipulator; it holds the attribute network"):
        read_manipulator(tmp_path / FEATURES)
    (tmp_path / "stargan" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match="whole safetensors file"):
        read_manipulator(tmp_path / "stargan")
    torch.save(StarGan(StarGanShape(5, width=4)).state_dict(), tmp_path / "2-G.ckpt")
    with pytest.raises(DataError, match=r"2-D.ckpt must exist"):
        read_manipulator(tmp_path)


def test_weights_of_another_network(tmp_path):
    write(tmp_path, "stargan")
    card = json.loads((tmp_path / "stargan" / "model.json").read_text())
    (tmp_path / "stargan" / "model.json").write_text(json.dumps(card | {"settings": {"width": 8}}))
    with pytest.raises(DataError, match="the weights must fit"):
        read_manipulator(tmp_path / "stargan")
    (tmp_path / "stargan" / "model.json").write_text(json.dumps(card | {"architecture": "hisd"}))
    with pytest.raises(DataError, match=r"must be one of stargan.* got 'hisd'"):
        read_manipulator(tmp_path / "stargan")
    torch.save({"G": AttGan(AttGanShape(3, width=4, layers=2)).state_dict()}, tmp_path / "weights.1.pth")
    with pytest.raises(DataError, match="must hold the network D"):
        read_manipulator(tmp_path)


def test_settings_must_be_the_networks():
    with pytest.raises(ArgumentError, match="network must hold settings of attgan; got blocks"):
        build("attgan", NAMES, settings={"blocks": 2})

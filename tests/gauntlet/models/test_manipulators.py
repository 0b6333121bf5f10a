"""Editors: frozen, differentiable, mirror of the authors' weight names; labels after an edit; the fingerprint."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_gan import AttentionGan
from gauntlet.models.attgan import AttGan, AttGanShape
from gauntlet.models.critics import AttGanCritic, Labels, StarGanCritic
from gauntlet.models.manipulators import Editor, LabelledEditor, Levels, edited_labels, fingerprint, indices
from gauntlet.models.stargan import StarGan, StarGanShape

NAMES = ("black_hair", "blond_hair", "brown_hair", "glasses", "beard")
SMALL = StarGanShape(5, width=4, blocks=2, kernel=3)
NETWORKS = {
    "stargan": lambda: StarGan(SMALL),
    "residual": lambda: StarGan(StarGanShape(5, width=4, blocks=1, kernel=3, norm="batch", residual=True)),
    "attgan": lambda: AttGan(AttGanShape(5, width=4, layers=4, shortcuts=2, injections=1)),
    "attention": lambda: AttentionGan(SMALL, contents=2),
    "shortcuts": lambda: StarGan(
        StarGanShape(5, width=4, blocks=1, kernel=3, norm="batch", reductions="instance", downs=3, shortcuts=2)
    ),
    "attgan_instance": lambda: AttGan(AttGanShape(5, width=4, layers=3, reductions="instance")),
}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", NETWORKS)
def test_an_editor_is_frozen_and_lets_the_slope_of_the_picture_through(name):
    network = NETWORKS[name]()
    editor, before = Editor(name, NAMES, network), fingerprint(network)
    x = torch.rand(3, 3, 32, 32, requires_grad=True)
    edited = editor.edit(x, torch.tensor([0, 3, 4]))
    edited.square().sum().backward()
    assert edited.shape == x.shape
    assert edited.min() >= 0
    assert edited.max() <= 1
    assert x.grad.abs().sum() > 0
    assert all(weight.grad is None and not weight.requires_grad for weight in network.parameters())
    assert fingerprint(network) == before
    assert not network.training


@pytest.mark.parametrize("name", NETWORKS)
def test_each_row_has_its_own_edit(name):
    editor = Editor(name, NAMES, NETWORKS[name]())
    x = torch.rand(2, 3, 32, 32)
    both = editor.edit(x, torch.tensor([1, 3]))
    torch.testing.assert_close(both[1:], editor.edit(x[1:], 3), atol=1e-5, rtol=1e-4)
    assert not torch.equal(editor.edit(x, 1), editor.edit(x, 3))


def test_a_fingerprint_tells_a_single_weight():
    network = NETWORKS["stargan"]()
    before = fingerprint(network)
    with torch.no_grad():
        network.main[0].weight.view(-1)[0] += 1e-6
    assert fingerprint(network) != before


def test_a_hair_colour_is_set_and_all_else_turns_over():
    has = torch.tensor([[True, False, False, True, False]]).expand(3, 5)
    after = edited_labels(has, torch.tensor([1, 3, 4]), NAMES).int().tolist()
    assert after == [[0, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 1]]


def test_instance_normalisation_hides_a_code_away_from_the_borders():
    # The reason for `norm="batch"` in the default: what the code adds to a whole map is its mean.
    x = torch.rand(1, 3, 16, 16)
    for norm, hidden in (("instance", True), ("batch", False)):
        first = StarGan(StarGanShape(5, width=4, blocks=0, kernel=1, norm=norm)).eval().main[:3]
        one, other = (first(torch.cat([x, torch.full((1, 5, 16, 16), value)], 1)) for value in (0.0, 1.0))
        assert torch.allclose(one, other, atol=1e-4) == hidden


def test_shortcuts_carry_the_maps_around_the_inner_layers_alone():
    """Where all that is enlarged is nought, what is left are the maps before the second reduction, not the first's."""
    network = StarGan(StarGanShape(5, width=4, blocks=0, kernel=3, norm="batch", downs=2, shortcuts=1)).eval()
    given = {}
    inner = network.main[6]
    inner.register_forward_hook(lambda _, taken, left: given.update(taken=taken[0], left=left))
    inner.main[-2].weight.data.zero_()
    network(torch.rand(1, 3, 16, 16), torch.zeros(1, 5))
    assert given["taken"].shape == (1, 8, 8, 8)
    assert torch.equal(given["taken"], given["left"])


def test_reductions_have_a_normalisation_of_their_own():
    def kinds(network):
        return [type(layer).__name__[:4] for layer in network.modules() if "Norm" in type(layer).__name__]

    star = StarGan(StarGanShape(5, width=4, blocks=1, kernel=3, norm="batch", reductions="instance"))
    assert kinds(star) == ["Batc", "Inst", "Inst", *["Batc"] * 4]
    assert kinds(AttGan(AttGanShape(5, width=4, layers=2, reductions="instance"))) == ["Inst", "Inst", "Batc"]


def test_the_names_of_the_weights_are_the_authors():
    stargan = StarGan(StarGanShape(5)).state_dict()
    assert stargan["main.0.weight"].shape == (64, 8, 7, 7)
    assert stargan["main.9.main.3.weight"].shape == (256, 256, 3, 3)
    assert stargan["main.14.main.4.bias"].shape == (256,)
    assert stargan["main.15.weight"].shape == (256, 128, 4, 4)
    assert stargan["main.21.weight"].shape == (3, 64, 7, 7)
    attgan = AttGan(AttGanShape(13, width=8)).state_dict()
    assert attgan["enc_layers.4.layers.1.running_mean"].shape == (128,)
    assert attgan["dec_layers.0.layers.0.weight"].shape == (128 + 13, 128, 4, 4)
    assert attgan["dec_layers.1.layers.0.weight"].shape == (128 + 64 + 13, 64, 4, 4)
    assert attgan["dec_layers.4.layers.0.bias"].shape == (3,)
    critic = StarGanCritic(5, size_px=64).state_dict()
    assert critic["main.10.weight"].shape == (2048, 1024, 4, 4)
    assert critic["conv2.weight"].shape == (5, 2048, 1, 1)
    names = AttGanCritic(13, size_px=32, width=4, hidden=8).state_dict()
    assert names["fc_cls.1.layers.0.weight"].shape == (13, 8)
    assert "conv.4.layers.1.weight" in names


class Told(torch.nn.Module):
    """A generator that gives the labels it was told, as grey values."""

    def forward(self, x, labels):
        return labels[:, :3, None, None].expand_as(x).contiguous() + 0 * x


def test_a_published_generator_is_told_the_labels_after_the_edit():
    class Black(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([[1.0, -1.0, -1.0, 1.0, -1.0]]).expand(len(x), 5)

    editor = LabelledEditor("g", NAMES, Told(), classifier=Black(), levels=Levels(-0.5, 0.5, 2.0))
    grey = 2 * editor.edit(torch.rand(1, 3, 4, 4), 1)[0, :, 0, 0] - 1
    assert grey.tolist() == [-0.5, 1.0, -0.5]
    assert Labels(StarGanCritic(5, size_px=32, width=2, layers=3))(torch.rand(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize("wrong", [5, -1, torch.tensor([0]), torch.tensor([[0, 1]])])
def test_an_attribute_must_exist_once_an_image(wrong):
    with pytest.raises(ArgumentError, match="attribute must"):
        indices(wrong, torch.rand(2, 3, 4, 4), NAMES)


def test_other_shapes_are_refused():
    with pytest.raises(ArgumentError, match="norm must be one of instance, batch; got 'layer'"):
        StarGan(StarGanShape(5, width=4, norm="layer"))
    with pytest.raises(ArgumentError, match="multiple of 64"):
        StarGanCritic(5, size_px=96)

"""Guides: the slope of a form of an editor's features, by hand; what is learnt and what is not; built again."""

import pytest
import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_gan import AttentionGan
from gauntlet.models.attgan import AttGan, AttGanShape
from gauntlet.models.guides import built, described, guides_of
from gauntlet.models.manipulators import Editor, fingerprint
from gauntlet.models.pullback import RATE, Pullback, Settled
from gauntlet.models.stargan import StarGan, StarGanShape, tiled
from tests.fixtures.iap_faces import Tint

STAR = StarGanShape(3, width=4, blocks=1, kernel=3, norm="batch", reductions="instance", downs=3, shortcuts=2)
GENERATORS = {
    "attgan": lambda: AttGan(AttGanShape(3, width=4, layers=3, reductions="instance")),
    "stargan": lambda: StarGan(STAR),
    "attention": lambda: AttentionGan(StarGanShape(3, width=4, blocks=1, kernel=3, downs=2)),
}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def pictures(count=2, seed=1):
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def way_down(generator):
    return generator.descent() if isinstance(generator, AttGan) else generator.descent(torch.eye(3)[:1])


def guide(name="attgan"):
    return Pullback(way_down(GENERATORS[name]().eval()), size_px=16)


def test_it_is_the_slope_of_the_form_scaled_to_its_gain():
    layer = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    model, x = Pullback([layer], size_px=16), pictures()
    u = model.directions[0](layer(2 * x - 1), layer(2 * x - 1))
    by_hand = nn.functional.conv_transpose2d(u, layer.weight, stride=2, padding=1, output_padding=1)
    by_hand = by_hand / by_hand.square().mean((1, 2, 3), keepdim=True).sqrt() * RATE * model.gain
    torch.testing.assert_close(model(x, x), by_hand, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", GENERATORS)
def test_directions_and_gain_learn_and_the_editor_does_not(name):
    generator = GENERATORS[name]().eval()
    model, before = Pullback(way_down(generator), size_px=16).train(), fingerprint(generator)
    model(pictures(), pictures(seed=2)).square().mul(pictures(seed=3)).sum().backward()
    learnt = {key for key, weight in model.named_parameters() if weight.grad is not None and weight.grad.abs().sum()}
    assert learnt == {key for key, _ in model.named_parameters() if not key.startswith("layers.")}
    assert not any(module.training for module in model.layers.modules())
    assert fingerprint(generator) == before


@pytest.mark.parametrize("name", GENERATORS)
def test_without_gradients_it_gives_the_same(name):
    model = guide(name)
    with torch.no_grad():
        found = model(pictures(), pictures(seed=2))
    assert not found.requires_grad
    torch.testing.assert_close(found, model(pictures(), pictures(seed=2)).detach())
    size = found.square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(size, torch.full((2,), RATE * model.gain.item()))


def test_a_picture_does_not_feel_its_neighbours():
    model, x, clean = guide(), pictures(3), pictures(3, seed=2)
    torch.testing.assert_close(model(x, clean)[1:2], model(x[1:2], clean[1:2]), atol=1e-5, rtol=1e-4)


def test_settled_statistics_change_no_value():
    norm = nn.InstanceNorm2d(3, affine=True)
    nn.init.uniform_(norm.weight)
    torch.testing.assert_close(Settled(norm)(pictures()), norm(pictures()), atol=1e-5, rtol=1e-4)


def test_a_stargans_way_down_is_its_own_under_the_code():
    network = StarGan(STAR).eval()
    x = 2 * pictures() - 1
    first = network.main[:3](tiled(x, torch.eye(3)[[0, 0]]))
    torch.testing.assert_close(way_down(network)[0](x), first)
    assert len(way_down(network)) == 1 + STAR.downs


@pytest.mark.parametrize(("each", "count"), [(False, 3), (True, 7)])
def test_guides_are_built_again_from_their_description(each, count):
    editors = {name: Editor(name, ("a", "b", "c"), generator()) for name, generator in GENERATORS.items()}
    editors["tint"] = Tint("tint")
    made = guides_of(editors, size_px=16, each=each)
    assert len(made) == count
    for name, again in built(described(editors, each=each), size_px=16).items():
        again.load_state_dict(made[name].state_dict())
        torch.testing.assert_close(again(pictures(), pictures()), made[name](pictures(), pictures()))


@pytest.mark.parametrize("wrong", [{}, {"network": "Gan", "shape": {}}, {"network": "AttGan", "shape": {"wide": 3}}])
def test_a_description_of_nothing_known_is_refused(wrong):
    with pytest.raises(ArgumentError, match="guide a must say its network"):
        built({"a": wrong}, size_px=16)

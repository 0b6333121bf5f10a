import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.iap_face import Protector, Shape
from gauntlet.training.iap_face.curriculum import Balance, Curriculum
from gauntlet.training.iap_face.loop import Setting, train_protector
from gauntlet.training.iap_face.universal import begin_with, universal_pattern
from gauntlet.training.iap_face.validation import validate
from gauntlet.training.state import start
from tests.fixtures.iap_faces import Tint, toy_faces, toy_phi

SMALL = Shape(bits=8, size_px=16, width=8, blocks=1, band=16)
AT_ONCE = Curriculum(message=0, full=0, distortions=0)


def begin(faces, editors=(), *, epochs, batch, shape=SMALL, lr=3e-3, seed=0):
    torch.manual_seed(seed)
    state = start(
        Protector(shape),
        lr=lr,
        weight_decay=0.0,
        batches=-(-len(faces) // batch),
        epochs=epochs,
        generator=torch.Generator().manual_seed(seed),
    )
    state.extra["balance"] = Balance([editor.name for editor in editors])
    return state


def trained(faces, *, editors=(), setting, epochs, batch, state=None, half=False, **shape):
    state = state or begin(faces, editors, epochs=epochs, batch=batch, **shape)
    how = {"manipulators": {editor.name: editor for editor in editors}, "phi": toy_phi() if editors else None}
    records = list(train_protector(state, faces, setting=setting, epochs=epochs, batch=batch, half=half, **how))
    return state, records


def bits_right(state, faces):
    figures = validate(state.model, faces.float() / 255, manipulators={}, generator=torch.Generator().manual_seed(9))
    return figures.protected, figures.unprotected


@pytest.mark.slow
def test_without_disruption_it_is_a_plain_watermark_within_a_few_epochs():
    faces = toy_faces(600)
    setting = Setting(image=0.1, disruption=0, distortions={"identity": (0, 0), "jpeg": (60, 95)})
    state, _ = trained(faces[:400], setting=setting, epochs=3, batch=16, half=True, shape=Shape())
    protected, unprotected = bits_right(state, faces[400:])
    assert protected >= 0.99
    assert unprotected == pytest.approx(0.5, abs=0.03)


def test_the_message_is_learnt():
    faces = toy_faces(64, size_px=16)
    before = bits_right(begin(faces, epochs=4, batch=8), faces)[0]
    state, records = trained(faces, setting=Setting(image=0, disruption=0), epochs=4, batch=8)
    assert bits_right(state, faces)[0] > max(0.94, before)
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    assert records[-1]["message"] < records[0]["message"]
    assert records[-1]["disruption"] == 0


def test_an_edit_is_disrupted_and_the_balance_knows_by_whom():
    faces, editors = toy_faces(64, size_px=16), (Tint("easy", turn=20.0), Tint("deaf", turn=0.0))
    setting = Setting(image=0, message=0, curriculum=AT_ONCE)
    _, records = trained(faces, editors=editors, setting=setting, epochs=6, batch=8)
    assert records[-1]["disruption"] < records[0]["disruption"]
    assert records[-1]["success"]["easy"] > 0.5
    assert records[-1]["success"]["deaf"] == 0


def test_a_run_taken_up_ends_with_the_same_bits():
    faces, editors = toy_faces(16, size_px=16), (Tint("one"),)
    setting = Setting(distortions={"jpeg": (50, 90), "dropout": (0, 0.3)}, curriculum=AT_ONCE)
    how = {"editors": editors, "setting": setting, "batch": 8}
    whole, _ = trained(faces, epochs=2, **how)
    state = begin(faces, editors, epochs=2, batch=8)
    trained(faces, epochs=1, state=state, **how)
    kept = state.state_dict()
    resumed = begin(faces, editors, epochs=2, batch=8, seed=1)
    resumed.load_state_dict(kept)
    trained(faces, epochs=2, state=resumed, **how)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_a_universal_pattern_disrupts_and_the_encoder_begins_with_it():
    faces, editor = toy_faces(32, size_px=16), Tint("easy", turn=20.0)
    how = {"eps": 0.025, "batch": 8, "half": False}
    delta = universal_pattern({"easy": editor}, faces, steps=30, generator=torch.Generator().manual_seed(0), **how)
    assert delta.abs().max() <= 0.025
    x = faces.float() / 255
    apart = (editor.edit((x + delta).clamp(0, 1), 0) - editor.edit(x, 0)).square().mean()
    by_chance = editor.edit((x + delta.flip(3)[:, [1, 2, 0]].roll(1, 2)).clamp(0, 1), 0) - editor.edit(x, 0)
    assert apart > 0
    assert apart >= 0.5 * by_chance.square().mean()
    model = begin(faces, epochs=1, batch=8).model
    begin_with(model, delta, share=0.5)
    with torch.no_grad():
        model.encoder.gain.zero_()
        model.encoder.out.weight.zero_()
        model.encoder.out.bias.zero_()
        residual = model.residual(x[:1], torch.ones(1, 8))
    torch.testing.assert_close(residual, 0.5 * delta, atol=1e-5, rtol=0)


def test_a_disruption_needs_an_editor():
    with pytest.raises(ArgumentError, match="needs manipulators"):
        trained(toy_faces(4, size_px=16), setting=Setting(), epochs=1, batch=4)


@pytest.mark.parametrize("wrong", [{"image": -1}, {"region": -0.1}, {"floor": 0}, {"distortions": {"jpg": (1, 2)}}])
def test_a_setting_out_of_range_is_refused(wrong):
    with pytest.raises(ArgumentError, match="must be"):
        Setting(**wrong)

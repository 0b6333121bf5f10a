"""The loop: traces equal to the bit, resumption, the schedule in closed form; the sheet's tiny PAT; batches."""

import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.metrics.recognition import word_errors
from gauntlet.training.wapat.loop import start_recognizer, train_recognizer, tri_stage
from gauntlet.training.wapat.methods import METHODS, Setting, front
from gauntlet.training.wapat.speech import Speech, fitting, transcripts
from tests.fixtures.tones import sounds_of
from tests.gauntlet.tiny_ctc import FRAME, TinyCtc, sentences


class Line:
    def __init__(self, text, waveform):
        self.text, self.waveform = text, np.asarray(waveform)


def lines(count, *, seed, noise=0.03):
    texts = {str(place): text for place, text in enumerate(sentences(count, seed=seed))}
    return [Line(texts[key], sound) for key, sound in sounds_of(texts, noise=noise, seed=seed).items()]


@pytest.fixture(scope="module")
def said():
    return lines(48, seed=11)


def begun(speech, *, epochs, lr=1e-2, dropout=0.0):
    generator = torch.Generator().manual_seed(5)
    model = TinyCtc(seed=2, dropout=dropout)
    return start_recognizer(model, lr=lr, weight_decay=0.0, steps=len(speech.slots) * epochs, generator=generator)


def traced(said, method, *, epochs=3, dropout=0.0, **settings):
    """Train, and return the records and the weights."""
    speech = Speech(said, batch_s=8.0)
    state = begun(speech, epochs=epochs, dropout=dropout)
    records = list(train_recognizer(state, speech, method=method, setting=Setting(**settings), epochs=epochs))
    return records, state.model.state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("settings", [{}, {"clean_share": 0.5}, {"random_start": False, "steps": 3}])
def test_no_radius_and_no_guidance_is_plain_training_to_the_bit(said, settings):
    plain, weights = traced(said, "plain")
    pat, others = traced(said, "pat", eps=0.0, **settings)
    assert [record["loss"] for record in pat] == [record["loss"] for record in plain]
    assert [record["changed"] for record in pat] == [record["changed"] for record in plain]
    assert same(weights, others)
    assert not same(weights, traced(said, "pat", eps=0.1)[1])


def test_nor_does_dropout_see_how_much_a_method_draws(said):
    assert same(traced(said, "plain", dropout=0.3)[1], traced(said, "pat", dropout=0.3, eps=0.0)[1])


def test_each_update_draws_afresh_and_all_methods_see_the_same_batches(said, monkeypatch):
    seen = {"plain": [], "greedy": []}

    def watched(name, draws):
        def method(recognizer, batch, setting, *, generator):
            seen[name].append((batch.texts, torch.rand(draws, generator=generator)[0].item(), torch.rand(()).item()))
            return plain(recognizer, batch, setting, generator=generator)

        return method

    plain = METHODS["plain"]
    for name, draws in {"plain": 1, "greedy": 50}.items():
        monkeypatch.setitem(METHODS, name, watched(name, draws))
        traced(said, name, epochs=2)
    assert len({draw for _, draw, _ in seen["plain"]}) == len(seen["plain"]) > 4
    assert [texts for texts, *_ in seen["plain"]] == [texts for texts, *_ in seen["greedy"]]
    assert [dropped for *_, dropped in seen["plain"]] == [dropped for *_, dropped in seen["greedy"]]


@pytest.mark.parametrize("method", METHODS)
def test_resumed_after_any_epoch_it_ends_with_the_same_bits(said, method):
    speech, setting = Speech(said[:16], batch_s=8.0), Setting(waveform_eps=0.01)
    straight = begun(speech, epochs=3, dropout=0.2)
    whole = list(train_recognizer(straight, speech, method=method, setting=setting, epochs=3))
    cut = begun(speech, epochs=3, dropout=0.2)
    loop = train_recognizer(cut, speech, method=method, setting=setting, epochs=3)
    first = next(loop)
    saved = cut.state_dict()
    resumed = begun(speech, epochs=3, dropout=0.2)
    resumed.load_state_dict(saved)
    rest = list(train_recognizer(resumed, speech, method=method, setting=setting, epochs=3))
    assert [first, *rest] == whole
    assert same(straight.model.state_dict(), resumed.model.state_dict())


def test_ten_updates_leave_the_front_as_it_was(said):
    before = TinyCtc(seed=2).front.state_dict()
    records, weights = traced(said, "wapat", epochs=2, eps=0.2)
    assert records[-1]["unguided"] == 0
    assert records[-1]["passes"] == 4.5
    assert torch.equal(weights["front.weight"], before["weight"])
    assert torch.equal(weights["front.bias"], before["bias"])


def test_pat_costs_nothing_on_clean_speech_and_withstands_noise_on_the_features():
    """The sheet's tiny run: 200 updates of two layers of 32."""
    speech, held = Speech(lines(160, seed=1), batch_s=12.0), Speech(lines(60, seed=2), batch_s=500.0)
    epochs = -(-200 // len(speech.slots))
    wer = {}
    for method in ("plain", "pat"):
        state = begun(speech, epochs=epochs, lr=5e-3)
        list(train_recognizer(state, speech, method=method, setting=Setting(eps=0.5), epochs=epochs))
        wer[method] = rates(state.model.eval(), held)
    assert wer["pat"]["clean"] <= wer["plain"]["clean"] + 0.01
    assert wer["pat"]["noise"] < wer["plain"]["noise"] - 0.05


def rates(model, held):
    places, batch = next(held.in_order())
    assert len(places) == len(held)
    features = front(model, batch, "float32")
    noise = 0.8 * torch.randn(features.values.shape, generator=torch.Generator().manual_seed(0))
    found = {}
    with torch.no_grad():
        for name, values in {"clean": features.values, "noise": features.values + noise}.items():
            read = model.text_from(model.from_features(features.of(values)), features.frames)
            found[name] = word_errors([held.utterances[place].text for place in places], read).rate
    return found


def test_the_rate_rises_holds_and_falls():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = tri_stage(optimizer, steps=100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.02)
    assert rates[5] == pytest.approx(2 * (0.01 + 0.99 / 2))
    assert rates[10:51] == [2.0] * 41
    assert rates[75] == pytest.approx(2 * 0.05**0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(2 * 0.05)


def test_only_what_requires_a_gradient_trains():
    state = begun(Speech(lines(3, seed=0), batch_s=8.0), epochs=1)
    (group,) = state.optimizer.param_groups
    assert len(group["params"]) == len(list(state.model.parameters())) - 2
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.98), 1e-8, 0.0)


def test_every_utterance_comes_once_an_epoch_among_its_like(said):
    speech = Speech(said, batch_s=8.0, step_s=0.25)
    generator, orders = torch.Generator().manual_seed(0), []
    for _ in range(3):
        batches = list(speech.epoch(generator))
        assert len(batches) == len(speech.slots)
        assert sorted(text for batch in batches for text in batch.texts) == sorted(line.text for line in said)
        for batch in batches:
            longest = batch.waveform.shape[1]
            assert longest == batch.lengths.max()
            assert len(batch.texts) == 1 or len(batch.texts) * longest / 16_000 <= 8.0
            assert all((row[n:] == 0).all() for row, n in zip(batch.waveform, batch.lengths, strict=True))
        orders.append([batch.texts for batch in batches])
    assert orders[0] != orders[1]
    padding = sum(b.waveform.numel() for b in batches) / sum(len(line.waveform) for line in said)
    assert padding < 1.2


def test_what_is_remembered_is_what_the_front_gives(said):
    model, speech = TinyCtc(), Speech(said, batch_s=8.0)
    fresh = transcripts(model, speech)
    plain = [front(model, batch, "float32") for _, batch in speech.in_order()]
    speech.remember(model)
    for before, (_, batch) in zip(plain, speech.in_order(), strict=True):
        assert torch.equal(batch.features.frames, before.frames)
        torch.testing.assert_close(batch.features.values, before.values * before.mask[..., None])
    assert transcripts(model, speech) == fresh
    assert len(fresh) == len(said)


def test_a_text_longer_than_its_frames_is_found():
    sound = np.zeros(10 * FRAME, np.float32)
    lines = [Line("abcabcabca", sound), Line("abcabcabcab", sound), Line("aabcabcabc", sound), Line("abc", sound)]
    assert fitting(TinyCtc(), lines) == [True, False, False, True]


def test_mistakes_have_one_line():
    with pytest.raises(ArgumentError, match=r"^there must be an utterance at least; got none; a domain"):
        Speech([], batch_s=8.0)
    speech = Speech(lines(2, seed=0), batch_s=8.0)
    with pytest.raises(ArgumentError, match=r"^the method must be one of plain, .*, wapat; got 'free'; misspelt\?$"):
        next(train_recognizer(begun(speech, epochs=1), speech, method="free", setting=Setting(), epochs=1))
    state = begun(speech, epochs=9, lr=1e30)
    with pytest.raises(ArgumentError, match=r"^the loss must stay finite; got nan in epoch \d; is lr too high\?$"):
        list(train_recognizer(state, speech, method="plain", setting=Setting(), epochs=9))


def test_the_head_may_learn_faster():
    model, generator = TinyCtc(), torch.Generator()
    state = start_recognizer(model, lr=1e-4, head_lr=1e-3, weight_decay=0.0, steps=10, generator=generator)
    body, head = ({id(weight) for weight in group["params"]} for group in state.optimizer.param_groups)
    assert head == {id(weight) for weight in model.head.parameters()}
    assert body | head == {id(weight) for weight in model.parameters() if weight.requires_grad}
    assert [group["initial_lr"] for group in state.optimizer.param_groups] == [1e-4, 1e-3]

"""The attack on recognisers of tones: what it reaches, what bounds it, and what each part adds (sheet section 2g)."""

import copy
from dataclasses import replace

import pytest
import torch

from gauntlet.attacks.transaudio import Release, Setting, Start, begin, transaudio
from gauntlet.attacks.transaudio.edits import EDITS, Edit
from gauntlet.attacks.transaudio.objective import clip_loss, ensemble_loss, slope
from gauntlet.attacks.transaudio.setting import PRECISIONS
from gauntlet.errors import ArgumentError
from gauntlet.metrics.transaudio import heard
from gauntlet.waveforms import Waveforms, padded
from tests.gauntlet.attacks.transaudio.conftest import speak
from tests.gauntlet.tiny_ctc import sentences, spoken

CHOICE = {"delete": {}, "insert": {"inserted": "face"}, "substitute": {"replacements": ("ad", "bed", "cafe")}}
TEXTS = sentences(20, seed=77, words=4)
QUICK = Setting(local_steps=10, global_steps=20, eps=0.02, alpha=0.002, check_every=0)


def edits(kind: str) -> list[Edit]:
    return [EDITS[kind](text, **CHOICE[kind]) for text in TEXTS]


def started(recognizer, kind: str, *, setting: Setting = QUICK, rows: int = 20) -> Start:
    utterances = Waveforms(*(part[:rows] for part in spoken(TEXTS)))
    return begin(recognizer, utterances, texts=TEXTS[:rows], edits=edits(kind)[:rows], speak=speak, setting=setting)


def attacked(surrogates, start: Start, setting: Setting = QUICK):
    return transaudio(surrogates, start, setting=setting, generator=torch.Generator().manual_seed(0))


def success(recognizer, utterances: Waveforms, kind: str) -> float:
    said = zip(TEXTS, edits(kind), recognizer.transcribe(*utterances), strict=True)
    return sum(heard(text, edit.target_text, hypothesis=found).word for text, edit, found in said) / len(TEXTS)


@pytest.mark.parametrize("kind", EDITS)
def test_the_white_box_hears_the_edit_and_noise_of_equal_power_does_nothing(tones, kind):
    start = started(tones, kind)
    found = attacked([tones], start)
    assert success(tones, found.utterances, kind) >= 0.8
    delta = (found.utterances.waveform - found.start.waveform).square().sum(1, keepdim=True)
    noise = torch.randn(start.utterances.waveform.shape, generator=torch.Generator().manual_seed(1))
    noise *= (delta / start.utterances.lengths[:, None]).sqrt()
    noisy = Waveforms((start.utterances.waveform + noise).clamp(-1, 1), start.utterances.lengths)
    assert success(tones, noisy, kind) <= 0.05
    assert success(tones, found.start, kind) <= 0.05


@pytest.mark.parametrize("kind", EDITS)
def test_both_stages_reach_no_less_than_the_first(tones, kind):
    start = started(tones, kind)
    both = attacked([tones], start)
    first = attacked([tones], start, replace(QUICK, global_steps=0))
    assert success(tones, both.utterances, kind) >= success(tones, first.utterances, kind)
    assert int(first.steps.sum()) == 0


def test_an_ensemble_carries_over_no_less_than_one(tones, others):
    second, unseen = others
    rates = {}
    for surrogates in (1, 2):
        setting = replace(QUICK, surrogates=surrogates, global_steps=10, eps=0.04, alpha=0.008)
        found = {kind: attacked([tones, second], started(tones, kind), setting) for kind in EDITS}
        rates[surrogates] = sum(success(unseen, each.utterances, kind) for kind, each in found.items())
    assert rates[2] > rates[1]


@pytest.mark.parametrize("kind", EDITS)
def test_lengths_the_ball_and_the_range_hold(tones, kind):
    start = started(tones, kind, rows=6)
    lengths = start.utterances.lengths
    loud = replace(start, utterances=Waveforms((4 * start.utterances.waveform).clamp(-1, 1), lengths))
    found = attacked([tones], loud)
    grown = start.clips.lengths if kind == "insert" else 0
    assert torch.equal(found.utterances.lengths, lengths + grown)
    delta = found.utterances.waveform - found.start.waveform
    assert 0.9 * QUICK.eps < float(delta.abs().max()) <= QUICK.eps + 1e-6
    assert float(found.utterances.waveform.abs().max()) <= 1
    beyond = torch.arange(delta.shape[1]) >= found.utterances.lengths[:, None]
    assert not found.utterances.waveform[beyond].any()


def test_no_steps_return_a_deletions_input_bit_by_bit(tones):
    start = started(tones, "delete")
    found = attacked([tones], start, replace(QUICK, local_steps=0, global_steps=0))
    assert torch.equal(found.utterances.waveform, start.utterances.waveform)
    ball = attacked([tones], start, replace(QUICK, eps=0.0))
    assert torch.equal(ball.utterances.waveform, start.utterances.waveform)


@pytest.mark.parametrize("score_match", ["none", "objective"])
def test_the_same_seed_gives_the_same_bits_and_weights_stay(tones, score_match):
    before = {name: weight.clone() for name, weight in tones.state_dict().items()}
    setting = replace(QUICK, score_match=score_match, smoothing=0.5, global_steps=4, lam=50.0)
    start = started(tones, "substitute", rows=4)
    one, two = (attacked([tones], start, setting).utterances.waveform for _ in range(2))
    assert torch.equal(one, two)
    other = attacked([tones], start, replace(setting, smoothing=0.0, score_match="none"))
    assert not torch.equal(one, other.utterances.waveform)
    assert all(torch.equal(weight, before[name]) for name, weight in tones.state_dict().items())


def test_utterances_that_are_done_leave_and_the_others_do_not_feel_it(tones):
    setting = replace(QUICK, check_every=2)
    start = started(tones, "delete", rows=8)
    together = attacked([tones], start, setting)
    assert int(together.steps.min()) < setting.global_steps
    for row in (0, 5):
        alone = attacked([tones], start.rows(torch.tensor([row])), setting)
        size = int(start.utterances.lengths[row])
        assert int(alone.steps) == int(together.steps[row])
        torch.testing.assert_close(
            alone.utterances.waveform[0, :size], together.utterances.waveform[row, :size], atol=1e-3, rtol=0
        )
    said = tones.transcribe(*together.utterances)
    left = together.steps < setting.global_steps
    assert [found for found, early in zip(said, left, strict=True) if early] == [
        edit.target_text for edit, early in zip(edits("delete"), left, strict=False) if early
    ]


def test_kinds_may_share_a_batch(tones):
    mixed = [edits(kind)[row] for row, kind in enumerate(EDITS)]
    utterances = Waveforms(*(part[:3] for part in spoken(TEXTS)))
    start = begin(tones, utterances, texts=TEXTS[:3], edits=mixed, speak=speak, setting=QUICK)
    found = attacked([tones], start)
    grown = found.utterances.lengths - utterances.lengths
    assert grown.tolist() == [0, int(start.clips.lengths[1]), 0]
    for row, kind in enumerate(EDITS):
        alone = started(tones, kind).rows(torch.tensor([row]))
        assert int(alone.begins) == int(start.begins[row])


def test_the_objective_is_the_sum_over_surrogates_and_silence_for_a_word_that_goes(tones, others):
    clips = Waveforms(*spoken(["ab", "ab"]))
    both = ensemble_loss([tones, others[0]], clips, texts=["ab", "cd"])
    torch.testing.assert_close(both, sum(each.waveform_loss(*clips, ["ab", "cd"]) for each in (tones, others[0])))
    losses = clip_loss(tones, clips, words=["", "ab"])
    log_probs = tones.from_features(tones.features(*clips))
    torch.testing.assert_close(losses[0], -log_probs[0, :, 0].mean())
    torch.testing.assert_close(losses[1:], tones.waveform_loss(*clips, ["ab", "ab"])[1:])


def test_a_front_that_surrogates_share_runs_once(tones, others, monkeypatch):
    runs = []
    monkeypatch.setattr(type(tones), "features", _counted(type(tones).features, runs))
    utterances, texts = Waveforms(*spoken(TEXTS[:2])), TEXTS[:2]
    apart = ensemble_loss([tones, others[0]], utterances, texts=texts)
    assert len(runs) == 2
    twin = copy.deepcopy(others[0])
    twin.front = tones.front
    together = ensemble_loss([tones, twin], utterances, texts=texts)
    assert len(runs) == 3
    assert not torch.equal(apart, together)
    torch.testing.assert_close(together, sum(each.waveform_loss(*utterances, texts) for each in (tones, twin)))


def _counted(features, runs: list):
    def counted(self, waveform, lengths):
        runs.append(self)
        return features(self, waveform, lengths)

    return counted


def test_half_the_precision_goes_nearly_the_same_way(tones):
    utterances = Waveforms(*spoken(TEXTS[:4]))
    targets = [edit.target_text for edit in edits("substitute")[:4]]
    exact, fast = (
        slope([tones], utterances, texts=targets, setting=replace(QUICK, precision=precision), noise=utterances[0])
        for precision in PRECISIONS
    )
    assert not torch.equal(exact.gradient, fast.gradient)
    assert (torch.nn.functional.cosine_similarity(exact.gradient, fast.gradient, dim=1) > 0.9).all()


def test_the_release_differs_where_its_switches_say(tones):
    def run(kind: str = "insert", **switches: bool):
        setting = replace(QUICK, release=Release(**switches), smoothing=0.5)
        return attacked([tones], started(tones, kind, setting=setting, rows=3), setting)

    ours = run()
    assert int(run(insert_without_second_stage=True).steps.sum()) == 0
    assert int(run("delete", insert_without_second_stage=True).steps.min()) == QUICK.global_steps
    free = run(no_ball=True)
    assert float((free.utterances.waveform - free.start.waveform).abs().max()) > QUICK.eps + 1e-3
    quiet = run(windowed_utterance=True).start
    edge = quiet.waveform[0, :100].square().sum() / ours.start.waveform[0, :100].square().sum()
    assert float(edge) == pytest.approx(0.0064, rel=0.2)
    for switch in ("raw_first_gradient", "lopsided_smoothing"):
        assert not torch.equal(run(**{switch: True}).utterances.waveform, ours.utterances.waveform)


def test_a_target_without_room_is_known_beforehand(tones):
    crowded = Edit("substitute", "ff" * 30, "ff" * 30, 0, "ab")
    utterances = Waveforms(*spoken(["ab cd", "cd ef"]))
    fine = Edit("delete", "cd", "ab", 0, "ab")
    start = begin(tones, utterances, texts=["ab cd", "cd ef"], edits=[crowded, fine], speak=speak, setting=QUICK)
    assert start.fits.tolist() == [False, True]
    with pytest.raises(ArgumentError, match="each target must fit its"):
        attacked([tones], start)
    assert len(attacked([tones], start.rows(start.fits.nonzero()[:, 0])).steps) == 1


def test_refused(tones):
    with pytest.raises(ArgumentError, match="surrogates must be 2"):
        attacked([tones], started(tones, "delete", rows=1), replace(QUICK, surrogates=2))
    big = padded([torch.full((6400,), 1000.0)])
    with pytest.raises(ArgumentError, match="16-bit"):
        begin(tones, big, texts=["ab"], edits=[edits("insert")[0]], speak=speak, setting=QUICK)
    for change in (
        {"eps": 2},
        {"alpha": 0},
        {"momentum": 2},
        {"score_match": "half"},
        {"precision": "half"},
        {"sigma": 0},
        {"fade_s": -1},
    ):
        with pytest.raises(ArgumentError, match="must"):
            replace(QUICK, **change)

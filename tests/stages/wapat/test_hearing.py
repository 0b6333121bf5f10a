"""What recognisers hear together: batches, fronts, phonemes, texts that do not fit."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.models.alphabet import Alphabet
from stages.wapat.hearing import Ears, Heard, Radius, batches, equal_fronts, joined
from stages.wapat.rates import Group, Rates
from tests.gauntlet.tiny_ctc import TinyCtc, spoken


@dataclass(frozen=True)
class Clip:
    id: str
    waveform: np.ndarray
    text: str


def clip(name: str, text: str, *, of: str | None = None) -> Clip:
    """Say `of` and claim that it was `text`."""
    waveform, _ = spoken([of or text])
    return Clip(name, waveform[0].numpy(), text)


def ears(recognizers, phonemes=None, batch_s: float = 2.0) -> Ears:
    return Ears(recognizers, phonemes=phonemes or {}, batch_s=batch_s, device="cpu")


def test_batches_hold_every_clip_once_and_no_more_sound_than_allowed():
    lengths = np.random.default_rng(0).integers(1000, 40000, 50)
    clips = [Clip(str(place), np.zeros(length, np.float32), "a") for place, length in enumerate(lengths)]
    found = batches(clips, batch_s=4.0)
    assert sorted(one.id for batch in found for one in batch) == sorted(one.id for one in clips)
    assert all(len(batch) * max(len(one.waveform) for one in batch) <= 64000 for batch in found)
    assert len(found) < 25
    assert [len(batch) for batch in batches(clips[:3], batch_s=0.001)] == [1, 1, 1]


def test_padding_is_zero():
    waveform, lengths = joined([clip("x", "ab"), clip("y", "a")], device="cpu")
    assert lengths.tolist() == [2560, 1280]
    assert not waveform[1, 1280:].any()
    assert waveform[0, 1280:].any()


def test_fronts_are_told_apart_by_their_weights():
    assert equal_fronts(TinyCtc(seed=0), TinyCtc(seed=0))
    assert not equal_fronts(TinyCtc(seed=0), TinyCtc(seed=1))
    other = TinyCtc(seed=0)
    del other.front
    assert not equal_fronts(TinyCtc(seed=0), other)
    shared = ears({"a": TinyCtc(), "b": TinyCtc(seed=1), "c": TinyCtc()})
    assert shared.fronts == [["a", "c"], ["b"]]


@pytest.mark.parametrize("text", ["abcdef" * 9, "xyz"])
def test_a_text_that_cannot_be_written_is_not_attacked_but_counted(text):
    group = ears({"tiny": TinyCtc().eval()})
    clips = [clip("other", text, of="ab"), clip("fits", "ab")]
    for attacked in (group.under_feature_pgd, group.under_waveform_pgd):
        found = attacked(clips, Radius(0.1, 1), seed=0)
        assert (found.sentences, found.left_out) == (["ab"], 1)
        assert len(found.hypotheses["tiny"]) == 1
        alone = attacked(clips[:1], Radius(0.1, 1), seed=0)
        assert (alone.sentences, alone.hypotheses, alone.left_out) == ([], {}, 1)


def test_a_recognizer_of_phonemes_is_held_to_phonemes():
    model = TinyCtc().eval()
    model.alphabet = Alphabet(("aa", "b", "ch", "d", "e", "f", "g"))
    group = ears({"letters": TinyCtc().eval(), "phonemes": model}, {"x": "aa b ch"})
    found = group.hear([clip("x", "abc")])
    assert found.references == {"letters": ["abc"], "phonemes": ["aa b ch"]}
    rates = Rates({Group("domain", "here"): found}, seed=0, resamples=5)
    assert rates.results("phonemes", seen={"here": True}, clean=["here"])["domains"]["here"]["value"] > 0
    assert found.sentences == ["abc"]


def test_an_attack_is_the_same_for_a_recognizer_whoever_hears_with_it():
    clips = [clip("x", "abc"), clip("y", "fed")]
    together = ears({"a": TinyCtc().eval(), "b": TinyCtc(seed=2).eval()})
    alone = ears({"b": TinyCtc(seed=2).eval()})
    for kind in ("under_feature_pgd", "under_waveform_pgd"):
        found = [getattr(group, kind)(clips, Radius(0.2, 2), seed=1) for group in (together, alone)]
        assert found[0].hypotheses["b"] == found[1].hypotheses["b"]
        assert found[0].snr_db.get("b") == found[1].snr_db.get("b")


def test_what_was_heard_adds_up():
    one = Heard(["a"], {"m": ["a"]}, {"m": ["b"]}, {"m": [3.0]}, 1)
    both = one + Heard(["c"], {"m": ["c"], "n": ["c"]}, {"m": ["c"], "n": [""]}, left_out=2)
    assert both.sentences == ["a", "c"]
    assert both.references == {"m": ["a", "c"], "n": ["c"]}
    assert (both.hypotheses["m"], both.snr_db, both.left_out) == (["b", "c"], {"m": [3.0]}, 3)


def test_all_steps_together_could_cross_the_ball():
    assert Radius(0.4, 5).alpha == pytest.approx(0.2)
    assert Radius(0.4, 1).alpha > 0.4


def test_the_rates_of_an_attack_say_its_snr():
    heard = Heard(["a b"], {"m": ["a b"]}, {"m": ["a"]}, {"m": [torch.inf]}, 4)
    groups = {Group("waveform_pgd", "", 0): heard, Group("feature_pgd", "", 0): heard}
    rates = Rates(groups, seed=0, resamples=5)
    waveforms, features = (rates.attack("m", group) for group in groups)
    assert (waveforms["wer"]["value"], waveforms["snr_db"], waveforms["left_out"]) == (0.5, None, 4)
    assert "snr_db" not in features


def test_an_attack_on_nothing_is_refused():
    group = Group("feature_pgd", "", 0)
    with pytest.raises(DataError, match="none of 3 is"):
        Rates({group: Heard(left_out=3)}, seed=0, resamples=5).attack("m", group)

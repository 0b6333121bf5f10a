"""The CTC parts that all recognisers share, on paths written by hand."""

import math
from itertools import groupby, product

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import Alphabet
from gauntlet.models.ctc import CtcRecognizer
from gauntlet.models.recognizer import Features, Recognizer, frame_mask

CTC = CtcRecognizer(Alphabet(("a", "b", " ")))


def random_log_probs(batch: int, frames: int) -> torch.Tensor:
    return torch.randn(batch, frames, 4, generator=torch.Generator().manual_seed(0)).log_softmax(dim=-1)


@pytest.mark.parametrize("text", ["a", "ab", "aa", "b a"])
def test_loss_sums_over_every_path(text):
    log_probs = random_log_probs(1, 5)
    wanted = CTC.alphabet.encode(text)
    total = 0.0
    for path in product(range(4), repeat=5):
        if [place for place, _ in groupby(path) if place] == wanted:
            total += math.exp(sum(float(log_probs[0, frame, place]) for frame, place in enumerate(path)))
    loss = CTC.loss(log_probs, torch.tensor([5]), [text])
    assert math.isclose(float(loss), -math.log(total) / len(text), rel_tol=1e-4)


def test_loss_of_an_utterance_depends_on_its_own_frames_alone():
    log_probs = random_log_probs(2, 7)
    both = CTC.loss(log_probs, torch.tensor([7, 4]), ["ab", "aa"])
    alone = CTC.loss(log_probs[1:, :4], torch.tensor([4]), ["aa"])
    assert torch.allclose(both[1:], alone)


def test_a_text_longer_than_its_frames_is_named():
    frames = torch.tensor([3, 3])
    assert CTC.fits(["aba", "aab"], frames).tolist() == [True, False]
    with pytest.raises(ArgumentError, match="fit its frames, 3 here; got 'aab', which needs 4"):
        CTC.loss(random_log_probs(2, 3), frames, ["aba", "aab"])


def test_greedy_reading_stops_at_the_utterances_end():
    path = torch.tensor([[1, 1, 0, 1, 3, 2], [2, 0, 1, 2, 2, 2]])
    log_probs = torch.nn.functional.one_hot(path, 4).float().log_softmax(dim=-1)
    assert CTC.text_from(log_probs, torch.tensor([6, 3])) == ["aa b", "ba"]


def test_features_know_their_own_frames():
    features = Features(torch.zeros(2, 3, 1), torch.tensor([3, 1]))
    assert features.mask.tolist() == [[True, True, True], [True, False, False]]
    assert frame_mask(torch.tensor([0, 2]), 2).tolist() == [[False, False], [True, True]]
    assert features.of(features.values + 1).frames is features.frames


def test_it_is_a_recognizer():
    assert isinstance(CTC, Recognizer)

"""The likeliest path against all paths, and words of tones found where they sound."""

from itertools import groupby, pairwise, product

import pytest
import torch

from gauntlet.attacks.transaudio.alignment import MARGIN_FRAMES, Span, align, linear_spans, word_spans
from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import Alphabet
from tests.gauntlet.tiny_ctc import FRAME, LETTER_FRAMES, TinyCtc, sentences, spoken


def best_path(log_probs: torch.Tensor, target: list[int]) -> tuple[int, ...]:
    """Try all paths."""
    frames, classes = log_probs.shape
    paths = product(range(classes), repeat=frames)
    writing = [path for path in paths if [k for k, _ in groupby(path) if k] == target]
    return max(writing, key=lambda path: float(log_probs[range(frames), list(path)].sum()))


@pytest.mark.parametrize("seed", range(6))
def test_no_path_is_likelier(seed):
    generator = torch.Generator().manual_seed(seed)
    log_probs = (3 * torch.randn(3, 6, 3, generator=generator)).log_softmax(2)
    targets, sizes = torch.tensor([[1, 2, 0], [1, 1, 2], [2, 0, 0]]), torch.tensor([2, 3, 1])
    frames = torch.tensor([6, 5, 3])
    spikes = align(log_probs, frames, targets=targets, sizes=sizes)
    for row in range(3):
        target = targets[row, : sizes[row]].tolist()
        path, place = best_path(log_probs[row, : frames[row]], target), 0
        for symbol, run in groupby(path):
            count = len(list(run))
            if symbol:
                index = target_index(path, place)
                assert int(spikes.first[row, index]) == place
                assert int(spikes.last[row, index]) == place + count - 1
            place += count


def target_index(path: tuple[int, ...], place: int) -> int:
    return len([k for k, _ in groupby(path[:place]) if k])


def test_an_utterance_does_not_feel_its_padding():
    log_probs = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    targets, sizes, frames = torch.tensor([[1, 3], [2, 2]]), torch.tensor([2, 2]), torch.tensor([9, 5])
    both = align(log_probs, frames, targets=targets, sizes=sizes)
    alone = align(log_probs[1:, :5], frames[1:], targets=targets[1:], sizes=sizes[1:])
    assert [part[1].tolist() for part in both] == [part[0].tolist() for part in alone]


def test_a_text_longer_than_its_frames_is_refused():
    log_probs = torch.zeros(1, 3, 3)
    with pytest.raises(ArgumentError, match="text 0 has 2 symbols on 2 frames"):
        align(log_probs, torch.tensor([2]), targets=torch.tensor([[1, 1]]), sizes=torch.tensor([2]))


def test_words_are_found_where_they_sound(tones):
    texts = sentences(8, seed=7)
    for text, spans in zip(texts, word_spans(tones, *spoken(texts), texts=texts), strict=True):
        place = 0
        for word, span in zip(text.split(), spans, strict=True):
            sound = Span(*(at * LETTER_FRAMES * FRAME for at in (place, place + len(word))))
            assert abs(span.begin - sound.begin) <= 4 * FRAME
            assert abs(span.end - sound.end) <= 4 * FRAME
            place += len(word) + 1


def test_words_do_not_overlap_and_reach_not_far(tones):
    texts = sentences(4, seed=8)
    waveform, lengths = spoken(texts)
    late = torch.nn.functional.pad(waveform, (20 * FRAME, 0))
    for spans in word_spans(tones, late, lengths + 20 * FRAME, texts=texts):
        assert all(one.end <= two.begin for one, two in pairwise(spans))
        assert spans[0].begin >= (20 - MARGIN_FRAMES - 2) * FRAME


def test_even_spread_takes_the_letters_for_time():
    assert linear_spans(torch.tensor([1100]), ["abc de fghi"]) == [[(0, 300), (400, 600), (700, 1100)]]


def test_phonemes_have_no_words():
    recognizer = TinyCtc()
    recognizer.alphabet = Alphabet(("ab", "c"))
    with pytest.raises(ArgumentError, match="phonemes"):
        word_spans(recognizer, *spoken(["a"]), texts=["a"])

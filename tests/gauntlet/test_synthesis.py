import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.synthesis import check_voice, phonemes, speak, variants, voices

LINE = "We saw the long film twice, didn't we?"


def fundamental_hz(waveform: np.ndarray, sample_rate: int) -> float:
    """Return the median of the voiced frames' pitch, by autocorrelation."""
    size, found = sample_rate // 25, []
    for begin in range(0, len(waveform) - size, size):
        frame = waveform[begin : begin + size]
        scores = np.correlate(frame, frame, "full")[size - 1 :]
        low, high = sample_rate // 350, sample_rate // 70
        lag = int(np.argmax(scores[low:high])) + low
        if scores[0] > 0.2 * size * np.mean(waveform**2) and scores[lag] > 0.5 * scores[0]:
            found.append(sample_rate / lag)
    return float(np.median(found))


def test_the_same_words_are_the_same_samples_whatever_came_before():
    first = speak(LINE, voice="en-gb+f3", sample_rate=16000)
    speak("Something else, quite long, that moves the oscillators.", voice="en-us")
    again = speak(LINE, voice="en-gb+f3", sample_rate=16000)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert first.phonemes == again.phonemes
    program = (
        "import hashlib; from gauntlet.synthesis import speak;"
        f"w = speak({LINE!r}, voice='en-gb+f3', sample_rate=16000).waveform;"
        "print(hashlib.sha256(w.tobytes()).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == hashlib.sha256(first.waveform.tobytes()).hexdigest()


def test_threads_do_not_mix_their_words():
    lines = [f"number {word} is here" for word in ("one", "two", "three", "four", "five", "six")]
    alone = [speak(line).waveform for line in lines]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda line: speak(line).waveform, lines))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_is_speech_of_a_few_seconds():
    spoken = speak(LINE, sample_rate=16000)
    assert spoken.waveform.dtype == np.float32
    assert spoken.sample_rate == 16000
    assert 1.5 < len(spoken.waveform) / 16000 < 4
    assert 0.03 < np.sqrt(np.mean(spoken.waveform**2)) < 0.3
    assert np.abs(spoken.waveform).max() <= 1
    native = speak(LINE)
    assert native.sample_rate == 22050
    assert len(native.waveform) / 22050 == pytest.approx(len(spoken.waveform) / 16000, abs=1e-3)


def test_rate_and_pitch_do_what_they_say():
    slow, fast = speak(LINE, rate_wpm=100), speak(LINE, rate_wpm=200)
    assert len(slow.waveform) > 1.5 * len(fast.waveform)
    low, high = (fundamental_hz(*speak(LINE, pitch=pitch)[:2]) for pitch in (20, 90))
    assert high > 1.3 * low


def test_voices_sound_different():
    man, woman = (fundamental_hz(*speak(LINE, voice=voice)[:2]) for voice in ("en-us", "en-us+f3"))
    assert man < 150 < woman
    waves = {voice: speak(LINE, voice=voice) for voice in voices() if voice.startswith("en-") and voice != "en-shaw"}
    assert len({spoken.waveform.tobytes() for spoken in waves.values()}) == len(waves) >= 8


def test_accents_have_their_own_phonemes():
    assert phonemes("half", voice="en-us") == ("h", "æ", "f")
    assert phonemes("half", voice="en-gb") == ("h", "ɑː", "f")
    assert phonemes("they", voice="en-029")[0] == "d"
    assert speak("half", voice="en-gb").phonemes == phonemes("half", voice="en-gb")


def test_phonemes_are_bare_symbols():
    symbols = phonemes("We thoroughly liked it; the déjà vu of January, strange children.", voice="en-gb-scotland")
    assert len(symbols) > 30
    assert all(symbol and not set(symbol) & set("ˈˌ_ ():") for symbol in symbols)
    assert phonemes("one. two") == phonemes("one") + phonemes("two")
    assert phonemes("...") == phonemes("") == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"voice": "en-uk"}, "en-gb"),
        ({"voice": "en-us+f33"}, "variant"),
        ({"rate_wpm": 20}, "rate_wpm must lie in 80..450"),
        ({"pitch": 101}, "pitch must lie in 0..100"),
    ],
)
def test_what_espeak_would_ignore_is_an_error(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        speak(LINE, **arguments)


def test_a_nul_would_cut_the_text():
    with pytest.raises(ArgumentError, match="NUL"):
        phonemes("one\0two")


def test_voices_and_variants_are_listed():
    assert {"en-us", "en-gb-scotland", "en-029"} <= set(voices())
    assert {"f3", "m3", "whisper"} <= set(variants())
    assert check_voice("en-gb+f3") == "gmw/en+f3"

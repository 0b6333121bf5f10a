"""Synthetic speech and phonemes by espeak-ng, in many voices and accents, the same samples each time.

The library keeps oscillator phases, a flutter index and a random state from one sentence to the next, which neither
its seed nor a new initialisation resets: the same call would give other samples each time. So each call opens the
library afresh (0.3 ms) and closes it after; a lock keeps calls apart, since all callers of a process share it.
"""

import _ctypes
import ctypes
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.resampling import resample

LOCK = threading.Lock()
SEED = 1
"""Of the library's own noise (breath, friction)."""

SYNCHRONOUS, UTF8, IPA, DONT_EXIT = 2, 1, 2, 0x8000
RATE, PITCH = 1, 3
SEPARATOR = "_"
STRESS = re.compile("[ˈˌ]")
SWITCH = re.compile(r"\([a-z-]+\)")
"""Marks a word that espeak-ng reads by another language's rules."""
VARIANT_LANGUAGE = b"variant"


class Spoken(NamedTuple):
    """What a voice said.

    Attributes:
        waveform: float32 [T] in [-1, 1].
        sample_rate: Hz.
        phonemes: In IPA without stress, in the voice's own accent.
    """

    waveform: np.ndarray
    sample_rate: int
    phonemes: tuple[str, ...]


class _Voice(ctypes.Structure):
    """espeak_VOICE of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _Library(NamedTuple):
    """The open library and its own sampling rate, Hz."""

    functions: ctypes.CDLL
    sample_rate: int


@contextmanager
def _opened() -> Iterator[_Library]:
    """Hold a library that no one has used before."""
    import espeakng_loader

    with LOCK:
        functions = ctypes.CDLL(espeakng_loader.get_library_path())
        try:
            functions.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
            functions.espeak_TextToPhonemes.restype = ctypes.c_char_p
            functions.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
            data = espeakng_loader.get_data_path().encode()
            sample_rate = functions.espeak_Initialize(SYNCHRONOUS, 0, data, DONT_EXIT)
            if sample_rate <= 0:
                raise RuntimeError(f"espeak-ng does not start with the data in {data.decode()}")
            functions.espeak_ng_SetRandSeed(SEED)
            yield _Library(functions, sample_rate)
            functions.espeak_Terminate()
        finally:
            _ctypes.dlclose(functions._handle)


@cache
def _identifiers() -> tuple[dict[str, str], frozenset[str]]:
    """Map languages to the identifiers of their voices, and name the variants."""
    with _opened() as library:
        variant = _Voice(languages=VARIANT_LANGUAGE)
        names = [voice.identifier.decode() for voice in _listed(library, ctypes.byref(variant))]
        plain = _listed(library, None)
        # The first byte of `languages` is the priority of the first of them.
        languages = {voice.languages[1:].decode(): voice.identifier.decode() for voice in plain}
    return languages, frozenset(name.removeprefix("!v/") for name in names)


def _listed(library: _Library, wanted: object) -> list[_Voice]:
    found = library.functions.espeak_ListVoices(wanted)
    voices = []
    while found[len(voices)]:
        voices.append(found[len(voices)].contents)
    return voices


def voices() -> list[str]:
    """List the voices of all languages, such as "en-gb-scotland"; each takes a variant: "en-us+f3"."""
    return sorted(_identifiers()[0])


def variants() -> list[str]:
    """List the variants: other speakers for every voice, such as "f3" (a woman) or "m7" (a man)."""
    return sorted(_identifiers()[1])


def check_voice(voice: str) -> str:
    """Return espeak-ng's identifier of a voice and its variant.

    espeak-ng itself takes an unknown variant without a word and speaks as if there were none.

    Raises:
        ArgumentError: espeak-ng does not have the voice or the variant.

    >>> check_voice("en-us+f3")
    'gmw/en-US+f3'
    """
    languages, known = _identifiers()
    language, plus, variant = voice.partition("+")
    if language not in languages:
        near = ", ".join(name for name in sorted(languages) if name[:2] == language[:2]) or "those of voices()"
        raise ArgumentError(f"voice must be one that espeak-ng has; got {voice!r}; meant one of {near}?")
    if plus and variant not in known:
        raise ArgumentError(f"the variant of a voice must be one of variants(); got {voice!r}; f3 or m3 meant?")
    return f"{languages[language]}{plus}{variant}"


def _choose(library: _Library, identifier: str) -> None:
    if library.functions.espeak_SetVoiceByName(identifier.encode()):
        raise RuntimeError(f"espeak-ng lists the voice {identifier} and does not load it")


def phonemes(text: str, *, voice: str = "en-us") -> tuple[str, ...]:
    """Return the phonemes of a text as a voice would say it: labels for human speech too.

    Args:
        text: Any text; a normalised transcript keeps numbers out of espeak-ng's own rules.
        voice: A voice; its variant makes no difference.

    Returns:
        IPA symbols without stress marks, words joined; empty where the text has nothing to say.

    Raises:
        ArgumentError: There is no such voice, or a NUL in the text.

    >>> phonemes("no letters")
    ('n', 'oʊ', 'l', 'ɛ', 'ɾ', 'ɚ', 'z')
    """
    identifier = _check(text, voice)
    with _opened() as library:
        _choose(library, identifier)
        return _phonemes(library, text)


def _phonemes(library: _Library, text: str) -> tuple[str, ...]:
    rest = ctypes.c_char_p(text.encode())
    mode = IPA | ord(SEPARATOR) << 8
    clauses = []
    while rest.value:
        clauses.append(library.functions.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, mode).decode())
    bare = STRESS.sub("", SWITCH.sub(" ", " ".join(clauses))).replace(":", "ː")
    return tuple(re.split(rf"[\s{SEPARATOR}]+", bare.strip(f" {SEPARATOR}"))) if bare.strip(f" {SEPARATOR}") else ()


def _check(text: str, voice: str) -> str:
    if "\0" in text:
        raise ArgumentError("a text to be spoken must hold no NUL; it does; read from a binary file?")
    return check_voice(voice)


def speak(
    text: str, *, voice: str = "en-us", rate_wpm: int = 165, pitch: int = 50, sample_rate: int | None = None
) -> Spoken:
    """Say a text; the same arguments give the same samples, whatever was said before.

    Args:
        text: Anything; espeak-ng reads punctuation as pauses.
        voice: One of `voices()`, with or without a variant: "en-gb+f3".
        rate_wpm: Words a minute, in 80..450.
        pitch: In 0..100; 50 is the voice's own.
        sample_rate: Hz to resample to; None for espeak-ng's own 22,050.

    Returns:
        Waveform, rate, phonemes. A text without a word gives no sample or a short silence.

    Raises:
        ArgumentError: No such voice, a rate or a pitch out of range, a NUL in the text.
    """
    identifier = _check(text, voice)
    for name, value, least, most in (("rate_wpm", rate_wpm, 80, 450), ("pitch", pitch, 0, 100)):
        if not least <= value <= most:
            raise ArgumentError(f"{name} must lie in {least}..{most}; got {value}")
    with _opened() as library:
        _choose(library, identifier)
        library.functions.espeak_SetParameter(RATE, rate_wpm, 0)
        library.functions.espeak_SetParameter(PITCH, pitch, 0)
        waveform, own_rate = _waveform(library, text), library.sample_rate
        # After the sound: reading the phonemes moves the library's state.
        symbols = _phonemes(library, text)
    if sample_rate is not None and sample_rate != own_rate:
        waveform = resample(waveform, source_hz=own_rate, target_hz=sample_rate)
        # The filter overshoots a peak near full scale; softer is better than clipped.
        waveform = waveform / max(np.float32(1), np.abs(waveform).max(initial=0))
    return Spoken(waveform, sample_rate or own_rate, symbols)


def _waveform(library: _Library, text: str) -> np.ndarray:
    pieces: list[np.ndarray] = []
    callback = _CALLBACK(_collector(pieces))
    library.functions.espeak_SetSynthCallback(callback)
    data = text.encode() + b"\0"
    library.functions.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, UTF8, None, None)
    library.functions.espeak_Synchronize()
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
    return samples.astype(np.float32) / np.float32(32768)


def _collector(pieces: list[np.ndarray]) -> Callable[[object, int, object], int]:
    def collect(samples: object, count: int, _events: object) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    return collect

"""Codecs: mu-law has the distortion that theory gives it; MP3 and Opus stay in step and get worse with the rate."""

import math
import sys

import numpy as np
import pytest
import soundfile
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts import waveform_codec
from gauntlet.shifts.waveform_codec import MP3_KBIT_S, mp3, mu_law, opus

LENGTHS = torch.tensor([32000, 20011])


def speech(level=0.1):
    """Make noise below 2 kHz that swells, in two lengths."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.rfft(torch.randn(2, 32000, generator=generator))
    spectrum[:, 4000:] = 0
    swell = 1 + torch.sin(2 * math.pi * 4 * torch.arange(32000) / 16000)
    waveform = torch.fft.irfft(spectrum) * swell
    waveform *= level / waveform.std()
    waveform[1, 20011:] = 0
    return waveform.clamp(-1, 1)


def snr_db(waveform, coded):
    return 10 * torch.log10(waveform.square().sum(1) / (coded - waveform).square().sum(1))


@pytest.mark.parametrize("bits", [4, 6, 8, 10])
@pytest.mark.parametrize("level", [0.02, 0.1])
def test_mu_law_has_the_distortion_of_theory(bits, level):
    """Jayant and Noll, Digital coding of waveforms, 1984: a Laplacian's distortion under the logarithmic law."""
    uniform = torch.rand(1, 200_000, generator=torch.Generator().manual_seed(1)) - 0.5
    waveform = (-level / math.sqrt(2) * uniform.sign() * torch.log1p(-2 * uniform.abs())).clamp(-1, 1)
    coded = mu_law(waveform, torch.tensor([200_000]), bits=bits).waveform
    ratio = 1 / (255 * level)
    theory = 6.02 * bits + 4.77 - 20 * math.log10(math.log(256))
    theory -= 10 * math.log10(1 + ratio**2 + math.sqrt(2) * ratio)
    assert float(snr_db(waveform, coded)) == pytest.approx(theory, abs=0.5)


def test_mu_law_has_as_many_values_as_its_bits_give():
    ramp = torch.linspace(-1, 1, 100_001)[None]
    for bits in (2, 3, 8):
        coded = mu_law(ramp, torch.tensor([100_001]), bits=bits).waveform
        assert len(coded.unique()) == 2**bits
        assert (coded.diff() >= 0).all()
        assert coded.abs().max() < 1


@pytest.mark.parametrize(("codec", "rates"), [(mp3, (8, 16, 24, 32, 40, 64)), (opus, (6, 9, 12, 16, 24, 64))])
def test_a_codec_stays_in_step_and_loses_with_the_rate(codec, rates):
    waveform = speech()
    quality = []
    for rate in rates:
        shifted = codec(waveform, LENGTHS, kbit_s=rate)
        assert torch.equal(shifted.lengths, LENGTHS)
        assert not shifted.waveform[1, 20011:].any()
        likeness = torch.fft.irfft(torch.fft.rfft(shifted.waveform, 65536) * torch.fft.rfft(waveform, 65536).conj())
        assert likeness.argmax(1).tolist() == [0, 0]
        quality.append(float(snr_db(waveform, shifted.waveform).mean()))
    assert quality == sorted(quality)
    assert quality[0] < 9 < 12 < quality[-1]


@pytest.mark.parametrize("rate", MP3_KBIT_S)
def test_mp3_has_the_rate_that_is_asked_for(rate, monkeypatch):
    """LAME is told by a share of its range; the frames say what it made of that."""
    kept, read = [], soundfile.read
    monkeypatch.setattr(
        soundfile, "read", lambda stream, **how: (kept.append(stream.getvalue()), read(stream, **how))[1]
    )
    mp3(speech()[:1], LENGTHS[:1], kbit_s=rate)
    (data,) = kept
    header = data.index(b"\xff\xf3")  # MPEG-2 layer III, no checksum
    assert data[header + 2] >> 4 == 1 + MP3_KBIT_S.index(rate)


def test_each_utterance_has_its_own_rate():
    waveform = speech()
    mixed = opus(waveform, LENGTHS, kbit_s=torch.tensor([6.0, 64.0])).waveform
    assert torch.equal(mixed[0], opus(waveform, LENGTHS, kbit_s=6).waveform[0])
    assert torch.equal(mixed[1], opus(waveform, LENGTHS, kbit_s=64).waveform[1])


@pytest.mark.parametrize("codec", [mp3, opus])
@pytest.mark.parametrize("samples", [1, 100, 1200])
def test_short_utterances_pass(codec, samples):
    shifted = codec(speech()[:1, 4000 : 4000 + samples].contiguous(), torch.tensor([samples]), kbit_s=16)
    assert shifted.waveform.shape == (1, samples)
    assert shifted.waveform.isfinite().all()


def test_an_utterance_without_samples_stays_so():
    assert not mp3(torch.zeros(1, 10), torch.tensor([0]), kbit_s=16).waveform.any()


def test_missing_libraries_are_named(monkeypatch):
    monkeypatch.setattr(soundfile, "available_subtypes", lambda container: {})
    with pytest.raises(ArgumentError, match=r"MP3 needs a libsndfile that writes MPEG_LAYER_III \(1.1 or later\)"):
        mp3(speech(), LENGTHS, kbit_s=16)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ArgumentError, match="OGG needs soundfile, which is not installed"):
        opus(speech(), LENGTHS, kbit_s=16)


def test_the_table_of_containers_is_what_soundfile_knows():
    for container, (subtype, _) in waveform_codec.CONTAINERS.items():
        assert subtype in soundfile.available_subtypes(container)
    assert np.all(np.diff(MP3_KBIT_S) > 0)

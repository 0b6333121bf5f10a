import pytest
import torch

from gauntlet.bigrams import arpa
from gauntlet.errors import DataError
from gauntlet.models.black_box import BlackBox, Domain, PocketSphinx
from gauntlet.readers.pronunciations import read_pronunciations


@pytest.fixture
def domain(tmp_path):
    (tmp_path / "lm.arpa").write_text(arpa(["press one", "press two"]))
    (tmp_path / "words.dict").write_text(read_pronunciations(["press", "one", "two"]))
    return Domain(tmp_path / "lm.arpa", tmp_path / "words.dict")


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return vowel-like hums: enough for it to hear something."""
    time_s = torch.arange(16_000) / 16_000
    rows = []
    for pitch_hz, formant_hz in ((120, 700), (180, 500)):
        voice = sum(
            torch.sin(2 * torch.pi * pitch_hz * n * time_s) * 2 ** (-(((pitch_hz * n - formant_hz) / 300) ** 2))
            for n in range(1, 25)
        )
        rows.append(0.2 * voice * (torch.sin(2 * torch.pi * 3 * time_s) > 0))
    return torch.stack(rows), torch.tensor([16_000, 9000])


def test_it_says_only_what_the_language_model_knows_in_any_order(domain):
    box = PocketSphinx(domain)
    assert isinstance(box, BlackBox)
    waveform, lengths = batch()
    texts = box.transcribe(waveform, lengths)
    assert set(" ".join(texts).split()) <= {"press", "one", "two"}
    assert box.transcribe(waveform.flip(0), lengths.flip(0)) == texts[::-1]
    waveform[1, 9000:] = 0.9
    assert box.transcribe(waveform, lengths) == texts


def test_silence_is_no_text(domain):
    assert PocketSphinx(domain).transcribe(torch.zeros(1, 800), torch.tensor([800])) == [""]


def test_a_bad_domain_is_one_line(domain):
    domain.language_model.write_text("nothing")
    with pytest.raises(DataError, match="must be an ARPA model and a dictionary"):
        PocketSphinx(domain)
    domain.language_model.unlink()
    with pytest.raises(DataError, match=r"lm\.arpa must exist"):
        PocketSphinx(domain)

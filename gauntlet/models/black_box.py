"""Recognisers that nobody looks into: waveform in, text out; PocketSphinx for one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.transcripts import normalize


@runtime_checkable
class BlackBox(Protocol):
    """All that an attack on a stranger may use."""

    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said in each utterance, normalised; float32 B x T at 16,000 Hz and int64 [B] samples."""
        ...


@dataclass(frozen=True)
class Domain:
    """What a recogniser of a small domain is told; only files can tell PocketSphinx.

    Attributes:
        language_model: An n-gram model in ARPA format, as `gauntlet.bigrams.arpa` writes of the domain's sentences.
        dictionary: Pronunciations of its words, as `gauntlet.readers.pronunciations.read_pronunciations` returns them.
    """

    language_model: Path
    dictionary: Path


class PocketSphinx:
    """CMU PocketSphinx with its own American English acoustic model: HMMs, no neural network.

    Args:
        domain: Sentences and words; None: the general language model and the dictionary that come with it.

    Raises:
        DataError: A file of the domain is missing or not in its format.
    """

    def __init__(self, domain: Domain | None = None) -> None:
        from pocketsphinx import Decoder

        files = {} if domain is None else {"lm": domain.language_model, "dict": domain.dictionary}
        for path in files.values():
            if not path.is_file():
                raise DataError(f"{path} must exist, for PocketSphinx to read; it is missing; misspelt?")
        try:
            chosen = {name: str(path) for name, path in files.items()}
            self._decoder = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL", **chosen)
        except RuntimeError:
            where = " and ".join(map(str, files.values())) or "PocketSphinx's own models"
            raise DataError(f"{where} must be an ARPA model and a dictionary; they are not; truncated?") from None

    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said in each utterance, normalised; the order of utterances changes nothing."""
        samples = (waveform.detach().clamp(-1, 1) * 32767).round().short().cpu().numpy()
        return [self._text(row[:length].tobytes()) for row, length in zip(samples, lengths.tolist(), strict=True)]

    def _text(self, pcm: bytes) -> str:
        self._decoder.reinit_feat()  # or the mean of the utterances before would be subtracted
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return normalize(best.hypstr) if best else ""

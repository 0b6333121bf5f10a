"""Recognisers that nobody looks into: waveform in, text out; PocketSphinx for one."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.transcripts import normalize


@runtime_checkable
class BlackBox(Protocol):
    """All that an attack on a stranger may use."""

    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said in each utterance, normalised; float32 B x T at 16,000 Hz and int64 [B] samples."""
        ...


class PocketSphinx:
    """CMU PocketSphinx with its own American English acoustic model and dictionary: HMMs, no neural network.

    Args:
        language_model: An n-gram model in ARPA or binary format, such as `gauntlet.bigrams.arpa` writes of the domain's
            sentences; None: the general one that comes with it.

    Raises:
        DataError: The language model is missing or no such file.
    """

    def __init__(self, language_model: Path | None = None) -> None:
        from pocketsphinx import Decoder

        if language_model is not None and not language_model.is_file():
            raise DataError(f"{language_model} must be a language model; it is missing; misspelt?")
        chosen = {} if language_model is None else {"lm": str(language_model)}
        try:
            self._decoder = Decoder(samprate=16_000, loglevel="FATAL", **chosen)
        except RuntimeError:
            raise DataError(
                f"{language_model} must be an n-gram model in ARPA format; it is none; truncated?"
            ) from None

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

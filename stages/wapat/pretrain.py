"""Train the CTC recogniser that every variant starts from: the later layers of Whisper's encoder and a new head.

It stands where the paper starts from SpeechLM: a recogniser that knows speech, before any of the methods.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from gauntlet.models.alphabet import LETTERS
from gauntlet.readers.recognizers import whisper_ctc
from stages import Out
from stages.checkpoint import Checkpoint
from stages.wapat.training import Lines, Training, trained, write


class Params(Training):
    """What is built and how it is trained.

    Attributes:
        frozen_layers: Layers of the encoder that belong to the front.
        dropout: On the residual branches of the others.
        symbols: Of the head: letters, or the phonemes of the training speech.
    """

    frozen_layers: int = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    symbols: Literal["letters", "phonemes"]


def run(params: Params, *, corpora: Path, whisper: Path, model: Out) -> None:
    """Train and write the model folder: the weights of the epoch of the lowest held-out WER."""
    lines = Lines(params, corpora)
    symbols = LETTERS if params.symbols == "letters" else lines.phonemes()
    settings = {"frozen_layers": params.frozen_layers, "dropout": params.dropout}
    recognizer = whisper_ctc(whisper, symbols=symbols, seed=params.seed, **settings)
    checkpoint = Checkpoint("wapat-pretrain", params=params, inputs={"corpora": corpora, "whisper": whisper})
    done = trained(params, lines, recognizer, checkpoint=checkpoint)
    write(params, done, model, settings=settings, whisper=whisper.name)
    checkpoint.clear()

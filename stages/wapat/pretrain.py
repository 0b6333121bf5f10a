"""Train the CTC recogniser that every variant starts from: the later layers of Whisper's encoder and a new head.

Or a CTC model of the user's in transformers' layout: wav2vec 2.0, HuBERT, WavLM, all but the convolutions. It stands
where the paper starts from SpeechLM: a recogniser that knows speech, before any of the methods.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import LETTERS
from gauntlet.readers.folders import named_folder
from gauntlet.readers.recognizers import whisper_ctc
from gauntlet.readers.transformers_ctc import read_transformers_ctc
from stages import Out
from stages import Params as StageParams
from stages.checkpoint import Checkpoint
from stages.wapat.training import Lines, Training, trained, write


class Backbone(StageParams):
    """A CTC model of the user's, in a folder that `transformers.AutoModelForCTC` reads.

    Attributes:
        folder: Name in raw.folder.
        fresh_head: Give it a new head, as a model without fine-tuning needs, and phonemes do.
    """

    folder: str
    fresh_head: bool = False


class Params(Training):
    """What is built and how it is trained.

    Attributes:
        backbone: In Whisper's place; null for Whisper. Its own configuration says its dropouts.
        frozen_layers: Layers of Whisper's encoder that belong to the front; a backbone's is its convolutions.
        dropout: On the residual branches of Whisper's others.
        symbols: Of the head: letters, or the phonemes of the training speech.
    """

    backbone: Backbone | None = None
    frozen_layers: int = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    symbols: Literal["letters", "phonemes"]

    @model_validator(mode="after")
    def _writable(self) -> Self:
        if self.symbols == "phonemes" and self.backbone and not self.backbone.fresh_head:
            raise ArgumentError(
                "backbone.fresh_head must be true with symbols: phonemes; got false; its own has letters"
            )
        return self


def run(params: Params, *, corpora: Path, whisper: Path, folders: Path, model: Out) -> None:
    """Train and write the model folder: the weights of the epoch of the lowest held-out WER."""
    lines = Lines(params, corpora)
    symbols = LETTERS if params.symbols == "letters" else lines.phonemes()
    if params.backbone is None:
        settings = {"frozen_layers": params.frozen_layers, "dropout": params.dropout}
        recognizer = whisper_ctc(whisper, symbols=symbols, seed=params.seed, **settings)
        source = {"whisper": whisper.name}
    else:
        folder, fresh = named_folder(folders, params.backbone.folder), params.backbone.fresh_head
        recognizer = read_transformers_ctc(folder, symbols=symbols, fresh_head=fresh, seed=params.seed)
        settings, source = recognizer.settings, {"backbone": params.backbone.folder}
    inputs = {"corpora": corpora, "whisper": whisper, "folders": folders}
    checkpoint = Checkpoint("wapat-pretrain", params=params, inputs=inputs)
    done = trained(params, lines, recognizer, checkpoint=checkpoint)
    write(params, done, model, settings=settings, source=source)
    checkpoint.clear()

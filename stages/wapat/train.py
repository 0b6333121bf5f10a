"""Train the recogniser further by one of the methods: plain, three augmentations, waveform AT, PAT, WAPAT."""

from pathlib import Path

from gauntlet.readers.models import read_card
from gauntlet.readers.trained_recognizers import read_recognizer
from stages import Out
from stages.checkpoint import Checkpoint
from stages.wapat.training import Lines, Training, trained, write


class Params(Training):
    """How a variant is trained; symbols, front and dropout are those of the recogniser it starts from."""


def run(params: Params, *, variant: str, corpora: Path, whisper: Path, start: Path, model: Out) -> None:
    """Train and write the model folder: the weights of the epoch of the lowest held-out WER."""
    recognizer, card = read_recognizer(start, whisper=whisper), read_card(start)
    checkpoint = Checkpoint(
        f"wapat-train@{variant}", params=params, inputs={"corpora": corpora, "whisper": whisper, "start": start}
    )
    source = {name: card.about[name] for name in ("backbone",) if name in card.about} or {"whisper": whisper.name}
    done = trained(params, Lines(params, corpora), recognizer, checkpoint=checkpoint)
    write(params, done, model, settings=card.settings, source=source)
    checkpoint.clear()

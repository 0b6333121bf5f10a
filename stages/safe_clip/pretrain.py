"""Train the small CLIP on pictures and captions: what the few-shot methods start from."""

from pathlib import Path
from typing import Literal, Self

import pandas as pd
import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from safetensors.torch import save_file
from torch import Tensor

from gauntlet.captions import KINDS
from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.clip_small import ClipShape, small_clip
from gauntlet.models.clip_words import Words, vocabulary
from gauntlet.readers.clip import CONFIG, HISTORY, WEIGHTS
from gauntlet.readers.few_shot import Corpus, read_corpus
from gauntlet.templates import prompts
from gauntlet.training.clip import Concept, start_clip, train_clip
from stages import Out
from stages.checkpoint import Checkpoint
from stages.files import write_json
from stages.machine import machine
from stages.training import Schedule, fit, seeded


class Params(Schedule):
    """Sizes of the towers and how they are trained.

    Attributes:
        attention_lr: Peak rate of the pooling's queries and keys.
        image_size_px: Side of the corpus' pictures, a multiple of 16.
        width: `gauntlet.models.clip_small.ClipShape`, and so are the next seven.
        layers: Blocks of the four stages.
        head_width: Channels of a head of the pooling.
        embed: Length of the features.
        text_width: Of the text tower.
        text_heads: Divides text_width.
        text_layers: Blocks of the text tower.
        context: Tokens of a text; a learned context of CoOp has to fit too.
        small_px: Side of the pictures in the first epochs, which are the cheaper for it.
        small_epochs: How many those are.
        least: Smallest side of a random crop, as a share.
        light: Greatest change of brightness and contrast.
        concepts: By a column of the corpus' manifest, such as name: the templates that say it. Each picture is compared
            with all that the column holds.
        precision: Of the image tower's passes; bfloat16 is about twice as fast on a processor that knows it.
    """

    attention_lr: float = Field(ge=0)
    image_size_px: PositiveInt
    width: PositiveInt
    layers: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
    head_width: PositiveInt
    embed: PositiveInt
    text_width: PositiveInt
    text_heads: PositiveInt
    text_layers: PositiveInt
    context: int = Field(ge=3)
    small_px: PositiveInt
    small_epochs: NonNegativeInt
    least: float = Field(gt=0, le=1)
    light: float = Field(ge=0, lt=1)
    concepts: dict[str, list[str]]
    precision: Literal["float32", "bfloat16"]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.shape()
        if self.small_epochs and self.small_px > self.image_size_px:
            raise ArgumentError(f"small_px must be at most image_size_px, {self.image_size_px}; got {self.small_px}")
        if self.batch < 2:
            raise ArgumentError(f"batch must hold at least 2 pairs, to tell them apart; got {self.batch}")
        return self

    def shape(self) -> ClipShape:
        """Return the sizes of the towers."""
        return ClipShape(**{name: getattr(self, name) for name in ClipShape.__dataclass_fields__})


def said_of(facts: pd.DataFrame, column: str, templates: list[str]) -> tuple[list[list[str]], Tensor]:
    """Say all that a column of the manifest holds.

    Returns:
        By template one text a value, and for each row the place of its value.

    Raises:
        DataError: There is no such column.
        ArgumentError: A template without its place.
    """
    if column not in facts:
        raise DataError(f"the corpus' manifest must tell {column}; it has {', '.join(facts)}; another corpus?")
    values = [KINDS.get(value, value) for value in facts[column]]
    known = sorted(set(values))
    places = {value: place for place, value in enumerate(known)}
    lines = [list(each) for each in zip(*prompts(known, templates), strict=True)]
    return lines, torch.tensor([places[value] for value in values])


def learnt_words(pairs: Corpus, params: Params) -> tuple[Words, list[Concept]]:
    """Return the tokenizer of all captions and concepts, and the concepts in its tokens."""
    said = [said_of(pairs.facts, column, templates) for column, templates in params.concepts.items()]
    lines = [line for lines, _ in said for each in lines for line in each]
    words = Words(vocabulary([*pairs.captions, *lines]), context=params.context)
    return words, [Concept(torch.stack([words(each) for each in lines]), of) for lines, of in said]


def run(params: Params, *, corpus: Path, clip: Out) -> None:
    """Write model.safetensors, config.json (shape, words, logit scale) and history.json."""
    pairs = read_corpus(corpus)
    side = params.image_size_px
    if (shape := tuple(pairs.x.shape[1:])) != (3, side, side):
        raise DataError(f"{corpus}: pictures must be 3 x {side} x {side}; got {shape}; another size?")
    words, concepts = learnt_words(pairs, params)
    device = machine().device
    network = seeded(lambda: small_clip(params.shape(), ids=len(words), learn_positions=True), params.seed).to(device)
    network = network.to(memory_format=torch.channels_last)
    checkpoint = Checkpoint("safe_clip-pretrain", params=params, inputs={"corpus": corpus})
    # The last batch of an epoch is left out where it is not full; the schedule counts full ones.
    items = len(pairs.x) // params.batch * params.batch
    state = start_clip(
        network,
        lr=params.lr,
        attention_lr=params.attention_lr,
        weight_decay=params.weight_decay,
        batches=items // params.batch,
        epochs=params.epochs,
        generator=torch.Generator().manual_seed(params.seed),
    )
    tokens = words(pairs.captions)
    history = fit(
        state,
        lambda: train_clip(
            state,
            pairs.x,
            tokens,
            epochs=params.epochs,
            batch=params.batch,
            side_px=side,
            small_px=params.small_px,
            small_epochs=params.small_epochs,
            least=params.least,
            light=params.light,
            precision=params.precision,
            concepts=concepts,
            device=device,
        ),
        checkpoint=checkpoint,
        measure=dict,
        items=items,
    )
    clip.mkdir(parents=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, clip / WEIGHTS)
    about = {"pairs": len(pairs.x), "seed": params.seed, "logit_scale": float(network.logit_scale.detach().exp())}
    write_json(clip / CONFIG, {"shape": params.shape().as_dict(), "words": words.words} | about)
    write_json(clip / HISTORY, history)
    checkpoint.clear()

"""Read what `fairberts.train` writes: sentence classifiers over one encoder, by name."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.models.perturbation import GENERATORS, Projection
from gauntlet.models.sentence_encoder import LowerLayers, Predictions, Raised, SentenceClassifier, predictions
from gauntlet.readers.encoders import Encoder
from gauntlet.readers.models import ModelCard, read_card

INDEX = "models.json"


@dataclass(frozen=True)
class FairModel:
    """A sentence classifier with the frozen layers below it.

    Attributes:
        name: Of its folder.
        card: What its folder says of it; `card.about` has "method", "weight" (None where there is none), "chosen" (the
            method's own choice on held_out among its weights), "role" ("method", "control" or "transfer").
        lower: The frozen layers; they remember the sentences they have read, for every model that shares them.
        model: The rest.
        raised: Frozen and upper layers; a patch's are those of its base.
    """

    name: str
    card: ModelCard
    lower: LowerLayers
    model: SentenceClassifier
    raised: Raised

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Return P(y = 1) [N] and sentence states [N, D] of texts."""
        return predictions(self.model, self.raised(texts), above=True)


def read_fair_models(folder: Path, encoder: Encoder) -> dict[str, FairModel]:
    """Read all models of a setting, in the order they were trained; they share what the frozen layers remember.

    Raises:
        DataError: The folder is incomplete.
    """
    try:
        names = json.loads((folder / INDEX).read_text())
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise DataError(f"{folder / INDEX} must list the models; {error}; is its training finished?") from None
    found: dict[str, FairModel] = {}
    lower = None
    for name in names:
        base = found.get(read_card(folder / name).about.get("base") or "")
        found[name] = read_fair_model(folder / name, lower or encoder, base=base)
        lower = found[name].lower
    return found


def read_fair_model(folder: Path, encoder: Encoder | LowerLayers, *, base: FairModel | None = None) -> FairModel:
    """Read one model.

    Args:
        folder: `<setting>/<name>`; the weights that a patch leaves as they are come from the folder beside it that
            model.json names as "base".
        encoder: From `read_encoder`, the one it was trained on; or another model's `lower`, which remembers.
        base: The model that a patch is on, if it has been read: what its layers make of a sentence is then shared.

    Raises:
        DataError: The folder is incomplete, or the weights do not fit the encoder.
    """
    card = read_card(folder)
    depth, most = card.settings["frozen_layers"], card.settings["max_tokens"]
    shared = isinstance(encoder, LowerLayers)
    if shared and (encoder.frozen_layers, encoder.max_tokens) == (depth, most):
        lower = encoder
    else:
        lower = LowerLayers(encoder.encoder if shared else encoder, frozen_layers=depth, max_tokens=most)
    model = _build(lower, card.settings)
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in _weights(folder, card).items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{folder}: the weights must fit the encoder; {reason}; trained on another one?") from None
    raised = Raised(lower, model.eval().upper)
    if base is not None and base.lower is lower:
        raised = base.raised
        raised.remembers = True
    return FairModel(folder.name, card, lower, model, raised)


def _build(lower: LowerLayers, settings: dict) -> SentenceClassifier:
    generator = None
    if settings["directions"]:
        generator = Projection(torch.zeros(settings["directions"], lower.width))
    elif settings["generator"]:
        generator = GENERATORS[settings["generator"]](lower.width, hidden=settings["hidden"])
    return SentenceClassifier(lower.upper(), width=lower.width, pooling=settings["pooling"], generator=generator)


def _weights(folder: Path, card: ModelCard) -> dict[str, Tensor]:
    path = folder / "model.safetensors"
    try:
        own = load_file(path)
    except FileNotFoundError:
        raise DataError(f"{path} must exist; an interrupted copy?") from None
    except SafetensorError as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; truncated?") from None
    base = card.about.get("base")
    if not base:
        return own
    below = _weights(folder.parent / base, read_card(folder.parent / base))
    return {name: tensor for name, tensor in below.items() if not name.startswith("generator.")} | own

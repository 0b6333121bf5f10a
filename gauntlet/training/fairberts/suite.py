"""All methods on one setting: a common begin, then each over its weights, the weight chosen on held-out rows."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import nn

from gauntlet.models.perturbation import GENERATORS, Projection
from gauntlet.models.sentence_encoder import LowerLayers, SentenceClassifier, predictions
from gauntlet.training.fairberts.choice import Figures, choose, held_out_figures
from gauntlet.training.fairberts.inlp import inlp
from gauntlet.training.fairberts.loop import train_classifier
from gauntlet.training.fairberts.methods import Setting
from gauntlet.training.fairberts.rows import UNKNOWN, Rows, raised
from gauntlet.training.fairberts.transfer import random_generator, transferred
from gauntlet.training.state import lend

SWEPT = ("adversarial", "fairberts", "fairberts_post_hoc", "inlp")


@dataclass(frozen=True)
class Recipe:
    """How long and how fast everything trains.

    Attributes:
        seed: Of first weights, order, dropout.
        warm_epochs: On the labels alone, before the methods part.
        epochs: Of each method after them.
        patch_epochs: Of a generator on a frozen classifier.
        batch: Rows a step.
        lr: Of the upper layers.
        head_lr: Of the classifier.
        weight_decay: AdamW's.
        weights: Sweep by method, a key of SWEPT: lambda; for inlp the number of directions.
        joint: Setting of fairberts and of adversarial.
        patch: Setting of fairberts_post_hoc.
        accuracy_lost: Most of held-out accuracy that a chosen weight may cost.
    """

    seed: int
    warm_epochs: int
    epochs: int
    patch_epochs: int
    batch: int
    lr: float
    head_lr: float
    weight_decay: float
    weights: Mapping[str, tuple[float, ...]]
    joint: Setting
    patch: Setting
    accuracy_lost: float = 0.01


class Trained(NamedTuple):
    """A classifier that is done.

    Attributes:
        name: Unique within the suite.
        method: plain, reweighing, cda, one of SWEPT, or "transfer".
        weight: Of the sweep; None without one.
        role: "method", "control" or "transfer".
        base: Name of the model whose upper layers and head it has, "" for its own.
        model: Evaluation mode.
        figures: On the held-out rows.
        history: One record an epoch.
        chosen: Its weight is the method's choice; true without a sweep.
    """

    name: str
    method: str
    weight: float | None
    role: str
    base: str
    model: SentenceClassifier
    figures: Figures
    history: list[dict]
    chosen: bool = True


@dataclass
class Suite:
    """The models of a setting.

    Attributes:
        lower: The frozen layers.
        train: With twins, if cda is to be trained.
        held_out: Choose the weights.
        recipe: Of all.
        done: By name, {"weights", "history"} of what an interrupted run has trained.
        keep: Called with name and {"weights", "history"} when a model is done.
    """

    lower: LowerLayers
    train: Rows
    held_out: Rows
    recipe: Recipe
    done: Mapping[str, dict] = field(default_factory=dict)
    keep: Callable[[str, dict], None] = lambda name, state: None

    def models(self) -> Iterator[Trained]:
        """Train one after another; the models of a sweep come together when its weight is chosen.

        Yields:
            plain, reweighing, cda, then `<method>_<weight>` for SWEPT, control_shuffled, transfer_plain,
            transfer_generator, transfer_random.
        """
        recipe = self.recipe
        warm = self._fit("warm", self._fresh(), epochs=recipe.warm_epochs).model
        plain = self._fit("plain", deepcopy(warm))
        yield plain
        yield self._fit("reweighing", deepcopy(warm), method="reweighing")
        if self.train.twins is not None:
            yield self._fit("cda", deepcopy(warm), method="cda")
        for method in ("adversarial", "fairberts"):
            yield from self._sweep(
                plain,
                [
                    self._fit(
                        f"{method}_{weight:g}",
                        self._with_generator(warm, recipe.joint) if method == "fairberts" else deepcopy(warm),
                        method=method,
                        setting=replace(recipe.joint, weight=weight),
                        weight=weight,
                    )
                    for weight in recipe.weights[method]
                ],
            )
        yield from self._patches(plain)

    def _patches(self, plain: Trained) -> Iterator[Trained]:
        """Train what leaves the encoder as it is."""
        patched = _Frozen(self, plain.model)
        weights = self.recipe.weights
        post_hoc = self._sweep(plain, [patched.generator(weight) for weight in weights["fairberts_post_hoc"]])
        yield from post_hoc
        yield from self._sweep(plain, [patched.projection(int(rounds)) for rounds in weights["inlp"]])
        best = next(each for each in post_hoc if each.chosen)
        yield patched.generator(best.weight, shuffled=True)
        other = replace(self.recipe, seed=self.recipe.seed + 1)
        apart = replace(self, recipe=other)
        ordinary = apart._fit("transfer_plain", apart._fresh(), epochs=other.warm_epochs + other.epochs)
        yield ordinary._replace(role="transfer", method="transfer")
        draw = torch.Generator().manual_seed(self._seed("transfer_random"))
        generator = best.model.generator
        noise = random_generator(ordinary.model, generator, self.held_out.states, draw=draw)
        for name, each in (("transfer_generator", generator), ("transfer_random", noise)):
            model = transferred(ordinary.model, each)
            figures = self.figures(model, self.held_out)
            yield Trained(name, "transfer", best.weight, "transfer", "transfer_plain", model, figures, [])

    def figures(self, model: SentenceClassifier, rows: Rows) -> Figures:
        """Return what a classifier does on rows whose group is known."""
        known = rows.z != UNKNOWN
        said = predictions(model, rows.states).probabilities
        return held_out_figures(said[known].tolist(), rows.y[known].tolist(), rows.z[known].tolist())

    def _seed(self, name: str) -> int:
        return self.recipe.seed * 1_000_003 + zlib.crc32(name.encode())

    def _fresh(self) -> SentenceClassifier:
        with lend(torch.Generator().manual_seed(self._seed("head")), device="cpu"):
            return SentenceClassifier(self.lower.upper(), width=self.lower.width, pooling=self.recipe.joint.pooling)

    def _with_generator(self, model: SentenceClassifier, setting: Setting) -> SentenceClassifier:
        model = deepcopy(model)
        with lend(torch.Generator().manual_seed(self._seed("generator")), device="cpu"):
            model.generator = GENERATORS[setting.generator](self.lower.width, hidden=setting.hidden)
        return model

    def _fit(
        self,
        name: str,
        model: SentenceClassifier,
        *,
        method: str = "plain",
        setting: Setting | None = None,
        weight: float | None = None,
        epochs: int | None = None,
        rows: tuple[Rows, Rows] | None = None,
    ) -> Trained:
        """Train `model`, or take up what an interrupted run has made of it."""
        train, held_out = rows or (self.train, self.held_out)
        recipe = self.recipe
        if name in self.done:
            model.load_state_dict(self.done[name]["weights"])
            history = self.done[name]["history"]
        else:
            loop = train_classifier(
                model,
                train,
                method=method,
                setting=setting or recipe.joint,
                epochs=recipe.epochs if epochs is None else epochs,
                batch=recipe.batch,
                lr=recipe.lr,
                head_lr=recipe.head_lr,
                weight_decay=recipe.weight_decay,
                generator=torch.Generator().manual_seed(self._seed(name)),
            )
            history = list(loop)
            _round(model)
            self.keep(name, {"weights": model.state_dict(), "history": history})
        figures = self.figures(model.eval(), held_out)
        return Trained(name, method, weight, "method", "", model, figures, history)

    def _sweep(self, plain: Trained, models: list[Trained]) -> list[Trained]:
        if not models:
            return []
        best = choose([each.figures for each in models], plain.figures, lost=self.recipe.accuracy_lost)
        return [each._replace(chosen=place == best) for place, each in enumerate(models)]


class _Frozen:
    """A trained classifier whose upper layers and head stay as they are: what they see is worked out once."""

    def __init__(self, suite: Suite, model: SentenceClassifier) -> None:
        self.suite, self.model = suite, model
        twins = suite.train.twins if suite.recipe.patch.pairs else None
        self.rows = (
            raised(suite.train._replace(twins=twins), model.upper),
            raised(suite.held_out._replace(twins=None), model.upper),
        )

    def generator(self, weight: float, *, shuffled: bool = False) -> Trained:
        """Train a generator; `shuffled` is the control: groups dealt at random, and no twins, which tell them."""
        suite, setting = self.suite, replace(self.suite.recipe.patch, weight=weight)
        train, held_out = self.rows
        if shuffled:
            order = torch.randperm(len(train.z), generator=torch.Generator().manual_seed(suite._seed("shuffle")))
            setting = replace(setting, pairs=0.0)
            train = train._replace(z=train.z[order], weights=torch.ones_like(train.weights))
        patch = suite._with_generator(self._above(), setting)
        patch.head.requires_grad_(False)
        name = "control_shuffled" if shuffled else f"fairberts_post_hoc_{weight:g}"
        done = suite._fit(
            name,
            patch,
            method="fairberts",
            setting=setting,
            weight=weight,
            epochs=suite.recipe.patch_epochs,
            rows=(train, held_out),
        )
        return self._whole(done, "fairberts_post_hoc", role="control" if shuffled else "method")

    def projection(self, rounds: int) -> Trained:
        """Take `rounds` directions out by INLP and train the head anew on what is left."""
        train, _ = self.rows
        patch = self._above()
        patch.generator = Projection(inlp(predictions(patch, train.states).states, train, rounds=rounds))
        return self._whole(self.suite._fit(f"inlp_{rounds}", patch, weight=rounds, rows=self.rows), "inlp")

    def _above(self) -> SentenceClassifier:
        above = SentenceClassifier(nn.Identity(), width=self.model.head.in_features, pooling=self.model.pooling)
        above.head.load_state_dict(self.model.head.state_dict())
        return above

    def _whole(self, done: Trained, method: str, *, role: str = "method") -> Trained:
        """Put the patch on the classifier it was made for."""
        whole = transferred(self.model, done.model.generator)
        whole.head.load_state_dict(done.model.head.state_dict())
        return done._replace(method=method, role=role, base="plain", model=whole.eval())


@torch.no_grad()
def _round(model: nn.Module) -> None:
    """Round the weights to half precision, in which they are written: what is measured is what is kept."""
    for weight in model.state_dict().values():
        weight.copy_(weight.half())

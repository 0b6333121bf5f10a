"""The classifiers under test: those trained by fgsm_law, each on its own data, and others by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from torch import nn

from gauntlet.errors import DataError
from gauntlet.readers.folders import named_folder
from gauntlet.readers.models import load_model, read_card
from gauntlet.readers.named_models import open_model
from stages import Params, Ratio
from stages.ares_bench.ood import Name, Ood
from stages.labelled import Data, check_classes
from stages.machine import machine

WEIGHTS = (".safetensors", ".pt", ".pth")


class Named(Params):
    """A classifier that was not trained here.

    Attributes:
        model: As `gauntlet.readers.named_models.open_model` takes it: "timm:resnet50", "ares:resnet50_at", ...
        settings: Keyword arguments of its builder.
        checkpoint: Name in raw.folder of the folder that holds its one file of weights (ARES-Bench's: all of theirs),
            or null.
    """

    model: str
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    checkpoint: str | None = None


class Test(Params):
    """One set of pictures and the budgets that suit it.

    Attributes:
        data: Its test split is attacked. Models trained on the same data are tested on it.
        eps: Linf radius of the attacks of one budget.
        largest: Greatest budget of the curve, by norm.
        named: Further models, by the name that reports give them.
        ood: Out-of-distribution sets of ImageNet that the models are tried on too, by the name that reports give them.
    """

    __test__ = False  # no test class, whatever its name says to pytest

    data: Data
    eps: Ratio
    largest: dict[str, float]
    named: dict[str, Named] = Field(default_factory=dict)
    ood: dict[Name, Ood] = Field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A classifier under test.

    Attributes:
        name: In reports.
        folder: Where fgsm_law trained it, or None.
        named: Where it comes from else, or None.
        trained: {"method", "eps"} if it was trained here.
    """

    name: str
    folder: Path | None
    named: Named | None
    trained: dict[str, object] | None

    def open(self, *, class_names: list[str], folders: Path) -> nn.Module:
        """Load the classifier, in evaluation mode, onto the device.

        Raises:
            DataError: Its weights are missing or do not fit, or its classes are others.
        """
        if self.folder:
            model, card = load_model(self.folder)
            check_classes(self.folder, card.classes, class_names)
        else:
            place = self._checkpoint(folders) if self.named.checkpoint else None
            model, _ = open_model(
                self.named.model, class_names=class_names, settings=self.named.settings, checkpoint=place
            )
        return model.to(machine().device)

    def _checkpoint(self, folders: Path) -> Path:
        """Find the file of weights in the folder that is named; ARES-Bench's folder holds one for each model."""
        folder = named_folder(folders, self.named.checkpoint)
        if self.named.model.startswith("ares:"):
            return folder
        found = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS)
        if len(found) != 1:
            got = ", ".join(path.name for path in found) or "none"
            raise DataError(f"{folder} must hold one file of weights ({', '.join(WEIGHTS)}); got {got}")
        return found[0]


def subjects(test: Test, models: Path, *, variants: Sequence[str]) -> Iterator[Subject]:
    """List the classifiers that a test is for, by name; of the folder of models, those that are named."""
    for variant in sorted(variants):
        about = read_card(models / variant).about
        if lacking := [name for name in ("data", "method", "eps") if name not in about]:
            raise DataError(
                f"{models / variant}/model.json must name {lacking[0]}; written by another stage than fgsm_law.train?"
            )
        if Data(**about["data"]) == test.data:
            trained = {"method": about["method"], "eps": about["eps"]}
            yield Subject(variant, models / variant, None, trained)
    for name, named in sorted(test.named.items()):
        yield Subject(name, None, named, None)

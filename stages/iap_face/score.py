"""Score protected faces: which edits they disrupt, and what of their message is left, beside every baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from gauntlet.errors import ArgumentError, DataError
from gauntlet.messages import Code
from gauntlet.models.face_features import FaceFeatures
from gauntlet.models.manipulators import Manipulator
from gauntlet.readers.faces import read_faces
from gauntlet.readers.manipulators import FEATURES, read_face_features, read_manipulators
from gauntlet.shifts.distortions import SWEEP
from stages import Out
from stages import Params as StageParams
from stages.iap_face.baselines import Pgd, Protectors, protect, read_protectors
from stages.iap_face.gallery import write_samples
from stages.iap_face.results import OURS, Intervals, Sent, after_manipulation, manipulator_results, message_results
from stages.iap_face.views import Measured, joined, measure
from stages.machine import machine, parallel
from stages.scores import write_score

MESSAGE = "message"
"""Subject of the score that is no manipulator's."""


class Params(StageParams):
    """What is scored.

    Attributes:
        seed: Of the ids, of PGD's starts, of the distortions and of the bootstrap.
        images: Test faces, the first ones.
        batch: Faces at a time.
        resamples: Of the bootstrap over faces.
        held_out: Manipulators that neither the protector nor PGD has seen.
        pgd: Settings of the baseline.
        distortions: Names in `gauntlet.shifts.distortions.SWEEP`.
        both: Those that are also joined with every manipulator, before it and after it.
        payload: Bits of an id; what remains of a message corrects errors.
        false_positive_rate: Bound of a decision, in (0, 1).
        wrong_ids: Ids that each unprotected face is compared with.
        samples: Rows of a gallery.
    """

    seed: int
    images: int = Field(ge=2)
    batch: int = Field(ge=1)
    resamples: int = Field(ge=1)
    held_out: list[str]
    pgd: Pgd
    distortions: list[str]
    both: list[str]
    payload: int = Field(ge=1)
    false_positive_rate: float = Field(gt=0, lt=1)
    wrong_ids: int = Field(ge=1)
    samples: int = Field(ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key in ("distortions", "both"):
            if unknown := sorted(set(getattr(self, key)) - set(SWEEP)):
                raise ArgumentError(f"{key} must be among {', '.join(SWEEP)}; got {unknown[0]!r}; misspelt?")
        return self


@dataclass(frozen=True)
class Scene:
    """All that a batch is put through."""

    protectors: Protectors
    manipulators: Mapping[str, Manipulator]
    white_box: list[str]
    features: FaceFeatures
    x: Tensor
    sent: Sent


def run(params: Params, *, faces: Path, manipulators: Path, protector: Path, scores: Out, samples: Out) -> None:
    """Write a score a manipulator, the message's, and a gallery a manipulator."""
    scene = _scene(params, faces=faces, manipulators=manipulators, protector=protector)
    starts = range(0, len(scene.x), params.batch)
    workers = 1 if machine().device != "cpu" else None
    done = parallel(partial(_batch, scene=scene, params=params), starts, what="batches of faces", workers=workers)
    found, protected = joined([each for each, _ in done]), torch.cat([each for _, each in done])
    scores.mkdir(parents=True)
    samples.mkdir(parents=True)
    write = partial(_write, params, scores, places={"faces": faces, "manipulators": manipulators, "model": protector})
    intervals = Intervals(resamples=params.resamples, seed=params.seed)
    for name, manipulator in scene.manipulators.items():
        results = manipulator_results(name, found, white_box=name in scene.white_box, intervals=intervals)
        rate = results["protection"][OURS]["protection_rate"]
        if rate is None:
            raise DataError(f"{name} must change some face; none of its edits does; is its training finished?")
        write(name, results=results, headline={"name": "protection_rate", **rate})
        if params.samples:
            write_samples(
                samples / name,
                manipulator=manipulator,
                x=scene.x[: params.samples],
                x_p=_pixels(protected[: params.samples]).to(scene.x.device),
                ids=scene.sent.ids[: params.samples],
                model=scene.protectors.iap,
                code=scene.sent.code,
            )
    results = message_results(found, scene.sent, intervals=intervals)
    kept = after_manipulation(found, scene.sent, scene.white_box, intervals=intervals)
    write(MESSAGE, results=results, headline={"name": "bit_accuracy_after_manipulation", **kept})


def _scene(params: Params, *, faces: Path, manipulators: Path, protector: Path) -> Scene:
    device = machine().device
    found = read_faces(faces, "test")
    if len(found) < params.images:
        raise DataError(f"{faces} must hold {params.images} test faces (images); it holds {len(found)}; lower images?")
    editors = read_manipulators(manipulators, device=device)
    if unknown := sorted(set(params.held_out) - set(editors)):
        raise ArgumentError(f"held_out must be among {', '.join(editors)}; got {unknown[0]!r}; misspelt?")
    white_box = [name for name in editors if name not in params.held_out]
    if not white_box:
        raise ArgumentError(f"held_out must leave a manipulator for PGD to look at; got all of {', '.join(editors)}")
    models = read_protectors(protector, device=device)
    code = Code(models.iap.bits, params.payload, false_positive_rate=params.false_positive_rate)
    return Scene(
        protectors=models,
        manipulators=editors,
        white_box=white_box,
        features=read_face_features(manipulators / FEATURES, device=device),
        x=_pixels(found.x[: params.images]).to(device),
        sent=_sent(code, images=params.images, others=params.wrong_ids, seed=params.seed),
    )


def _sent(code: Code, *, images: int, others: int, seed: int) -> Sent:
    random = np.random.default_rng(seed)
    drawn = random.integers(0, 2**code.payload, (images, 1 + others))
    ids = drawn[:, 0].tolist()
    return Sent(code, ids, code.messages(ids), torch.from_numpy(drawn[:, 1:]))


def _pixels(x: Tensor) -> Tensor:
    return x.float() / 255


def _batch(start: int, *, scene: Scene, params: Params) -> tuple[Measured, Tensor]:
    """Return what a batch shows, and its faces as IAP protects them (uint8)."""
    here = slice(start, start + params.batch)
    x, seed = scene.x[here], params.seed + start
    protected = protect(
        x,
        scene.sent.messages[here].to(x.device),
        protectors=scene.protectors,
        targets=[scene.manipulators[name] for name in scene.white_box],
        pgd=params.pgd,
        generator=torch.Generator().manual_seed(seed),
    )
    found = measure(
        x,
        protected,
        protectors=scene.protectors,
        manipulators=scene.manipulators,
        features=scene.features.features,
        distortions=params.distortions,
        both=params.both,
        seed=seed,
    )
    return found, (protected[OURS] * 255).round().byte().cpu()


def _write(
    params: Params,
    scores: Path,
    subject: str,
    *,
    results: dict[str, object],
    headline: dict[str, object],
    places: Mapping[str, Path],
) -> None:
    write_score(
        scores / f"{subject}.json",
        method="iap_face",
        stage="iap_face-score",
        subject=subject,
        results=results,
        headline=headline | {"interval": "95 % bootstrap over faces"},
        n=headline["n"],
        seeds=[params.seed],
        scorer=f"gauntlet {version('gauntlet')}",
        params=params,
        inputs=dict(places),
    )

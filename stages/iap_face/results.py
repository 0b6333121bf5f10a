"""Numbers of IAP's scores from what every batch showed, each with its interval over pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from gauntlet.messages import Code
from gauntlet.metrics.iap_face import bit_accuracy, matching_bits, ratio_interval, roc, share_interval, word_accuracy
from gauntlet.metrics.intervals import mean_interval
from stages.iap_face.views import NONE, QUALITY, Measured

OURS = "iap"


@dataclass(frozen=True)
class Sent:
    """The message of each picture.

    Attributes:
        code: Of the ids.
        ids: One a picture.
        messages: Their bits, B x L.
        wrong: Other ids that a picture is compared with, B x W.
    """

    code: Code
    ids: list[int]
    messages: Tensor
    wrong: Tensor


class Intervals:
    """Intervals over the same draws of pictures for every number."""

    def __init__(self, *, resamples: int, seed: int) -> None:
        self.resamples, self.seed = resamples, seed

    def _drawn(self) -> dict:
        return {"resamples": self.resamples, "generator": np.random.default_rng(self.seed)}

    def share(self, values: Tensor) -> dict:
        """Of shares, one a picture."""
        return asdict(share_interval(values.double().cpu().numpy(), **self._drawn()))

    def mean(self, values: Tensor) -> dict:
        """Of any numbers, one a picture."""
        return asdict(mean_interval(values.double().cpu().numpy()[:, None], **self._drawn())[0])

    def ratio(self, totals: Tensor, chances: Tensor) -> dict | None:
        """Of sums over edits, one a picture; None where no edit counts."""
        if not chances.sum():
            return None
        return asdict(ratio_interval(totals.double().cpu().numpy(), chances.long().cpu().numpy(), **self._drawn()))


def manipulator_results(name: str, found: Measured, *, white_box: bool, intervals: Intervals) -> dict:
    """Say how far each method disrupts a manipulator, on the pictures as they are and after a distortion.

    Edits that change nothing in the clean picture are left out of the rate and of the masked L2, and counted.
    """
    protection: dict[str, dict] = {}
    distorted: dict[str, dict] = {}
    for (manipulator, distortion, method), rows in found.disrupted.items():
        if manipulator != name:
            continue
        changed = rows.changed.sum(1)
        rate = intervals.ratio(rows.disrupted.sum(1), changed)
        if distortion != NONE:
            distorted.setdefault(distortion, {})[method] = rate
            continue
        masked = rows.masked_l2.masked_fill(~rows.changed, 0).sum(1)
        protection[method] = {
            "protection_rate": rate,
            "masked_l2": intervals.ratio(masked, changed),
            "l2": intervals.mean(rows.l2.mean(1)),
            "no_change": int((~rows.changed).sum()),
        }
    return {"protection": protection, "white_box": white_box, "distorted": distorted}


def message_results(found: Measured, sent: Sent, *, intervals: Intervals) -> dict:
    """Say what is read back in every view, what is read where there is nothing, and what each picture lost."""
    results: dict = {"bit_accuracy": {}, "word_accuracy": {}, "decoded_ids": {}, "other_ids": {}}
    for view, methods in found.logits.items():
        for method, logits in methods.items():
            for name, values in _read(logits, sent).items():
                results[name].setdefault(view, {})[method] = intervals.share(values)
    blind = [sent.code.decode(each).found for each in found.unprotected[OURS]]
    return results | {
        "unprotected": intervals.share(bit_accuracy(found.unprotected[OURS], sent.messages)),
        "blind_false_positives": intervals.share(torch.tensor(blind).double()),
        "roc": _roc(found, sent),
        "quality": {
            method: {name: intervals.mean(measures[name]) for name in QUALITY}
            for method, measures in found.quality.items()
        },
        "code": _described(sent.code),
    }


def _read(logits: Tensor, sent: Sent) -> Mapping[str, Tensor]:
    """Return what is right of each picture, the mean over its edits."""
    pictures, count, bits = logits.shape
    flat = logits.flatten(0, 1)
    messages = sent.messages[:, None].expand(pictures, count, bits).flatten(0, 1)
    ids = [id for id in sent.ids for _ in range(count)]
    decided = [sent.code.decode(each) for each in flat]
    right = torch.tensor([each.found and each.id == id for each, id in zip(decided, ids, strict=True)])
    other = torch.tensor([each.found and each.id != id for each, id in zip(decided, ids, strict=True)])
    every = {
        "bit_accuracy": bit_accuracy(flat, messages),
        "word_accuracy": word_accuracy(flat, messages),
        "decoded_ids": right.double(),
        "other_ids": other.double(),
    }
    return {name: values.unflatten(0, (pictures, count)).mean(1) for name, values in every.items()}


def _roc(found: Measured, sent: Sent) -> dict:
    """Compare protected pictures with their own id, unprotected ones with ids drawn at random."""
    unprotected, comparisons = found.unprotected[OURS], sent.wrong.shape[1]
    absent = torch.cat(
        [matching_bits(unprotected, sent.code.messages(sent.wrong[:, each].tolist())) for each in range(comparisons)]
    ).numpy()
    rates = {}
    for view, methods in found.logits.items():
        logits = methods[OURS]
        messages = sent.messages[:, None].expand_as(logits).flatten(0, 1)
        rates[view] = roc(matching_bits(logits.flatten(0, 1), messages).numpy(), absent, bits=sent.code.bits)
    one = rates["protected"]
    return {
        "threshold": list(one.thresholds),
        "fpr": list(one.fpr),
        "code_fpr": list(one.code_fpr),
        "tpr": {view: list(each.tpr) for view, each in rates.items()},
        "tpr_at_bound": {view: each.tpr_at(sent.code.false_positive_rate) for view, each in rates.items()},
        "pictures": len(unprotected),
        "comparisons": len(absent),
    }


def _described(code: Code) -> dict:
    return {
        "bits": code.bits,
        "payload": code.payload,
        "corrections": code.corrections,
        "false_positive_rate": code.blind_rate,
        "bound": code.false_positive_rate,
    }


def after_manipulation(found: Measured, sent: Sent, names: list[str], *, intervals: Intervals) -> dict:
    """Return IAP's bit accuracy over all edits of the named manipulators: the headline."""
    every = torch.cat([found.logits[f"manipulated:{name}"][OURS] for name in names], dim=1)
    return intervals.share(_read(every, sent)["bit_accuracy"])

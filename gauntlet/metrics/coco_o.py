"""Effective Robustness on COCO-O: how much better a detector does under shift than its clean AP lets expect.

Source: COCO-O (arXiv 2307.12730). All rates lie in [0, 1]; the paper prints per cent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.detection import AveragePrecision, Resampled
from gauntlet.metrics.intervals import Interval, percentile_interval

Rate = TypeVar("Rate", float, np.ndarray)
"""One rate, or one for each bootstrap resample."""

SLOPE = 0.45
"""AP under shift per clean AP of the paper's classic detectors, fitted through the origin."""


def domain_mean(ap_by_domain: Mapping[str, Rate]) -> Rate:
    """Average AP over domains, each domain alike, however many images it has.

    >>> round(domain_mean({"sketch": 0.1, "weather": 0.4}), 3)
    0.25
    """
    if not ap_by_domain:
        raise ArgumentError("ap_by_domain must hold at least one domain; got none")
    return sum(ap_by_domain.values()) / len(ap_by_domain)


def effective_robustness(ap_shifted: Rate, ap_source: Rate, *, slope: float = SLOPE) -> Rate:
    """Take from the mean AP under shift what the AP on the source domain predicts: 0 is "as robust as expected".

    Args:
        ap_shifted: `domain_mean` of the shifted domains, in [0, 1].
        ap_source: On the source domain (the paper: COCO val2017), in [0, 1].
        slope: The trend of ordinary detectors; the paper's holds for COCO-80 and its own domains alone.

    Raises:
        ArgumentError: a rate outside [0, 1].

    >>> round(effective_robustness(0.164, 0.374), 4)  # Faster R-CNN R50-FPN: the paper prints -0.41 per cent
    -0.0043
    """
    for name, rate in {"ap_shifted": ap_shifted, "ap_source": ap_source}.items():
        if np.any(np.less(rate, 0) | np.greater(rate, 1)):
            raise ArgumentError(f"{name} must lie in [0, 1] (0.374, not 37.4); got {np.max(np.abs(rate)):g}")
    return ap_shifted - slope * ap_source


def relative_drop(ap_shifted: Rate, ap_source: Rate) -> Rate:
    """Give the share of the source domain's AP that is lost under shift; NaN where there was none.

    >>> relative_drop(0.15, 0.3)
    0.5
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - np.divide(ap_shifted, ap_source)
    share = np.where(np.equal(ap_source, 0), np.nan, share)
    return share if share.ndim else float(share)


class Published(NamedTuple):
    """A detector's published numbers, as rates.

    Attributes:
        detector: Its name and backbone.
        ap_coco_o: Mean AP over COCO-O's six domains.
        effective_robustness: As published.
        ap_coco: AP on COCO val2017.
        source: "leaderboard" (the authors' own submissions; their `ap_coco` is worked out from the other two),
            "Frozen-DETR" (table 12) or "DINOv3" (table 10).
        domains: AP of each domain, where published.
    """

    detector: str
    ap_coco_o: float
    effective_robustness: float
    ap_coco: float
    source: str = "leaderboard"
    domains: Mapping[str, float] | None = None


_LEADERBOARD = """
EVA|57.8|28.86|64.3
DETA (Swin-L)|48.5|20.15|63.0
GLIP-L (Swin-L)|48.0|24.89|51.4
GRiT (ViT-H)|42.9|15.72|60.4
DINO (Swin-L)|42.1|15.76|58.5
CBNetV2 (Swin-L)|39.0|12.36|59.2
ConvNeXt-XL (Cascade Mask)|37.5|12.68|55.2
InternImage-L (Cascade Mask)|37.0|11.72|56.2
DyHead (Swin-L)|35.3|10.00|56.2
ViTDet (ViT-H)|34.3|7.89|58.7
ViT-Adapter (BEiTv2-L)|34.25|7.79|58.8
FIBER-B (Swin-B)|33.7|11.43|49.5
QueryInst (Swin-L)|33.2|8.26|55.4
YOLOv6-L6|32.5|6.73|57.3
YOLOv7-E6E|32.0|6.42|56.8
MViTv2-H (Cascade Mask)|30.9|5.62|56.2
Det-AdvProp (EffNet-B5)|30.8|7.34|52.1
YOLOv4-P6|30.4|5.89|54.5
YOLOX-X|30.3|7.26|51.2
CenterNet2 (R2-101-DCN)|29.5|4.29|56.0
GLIP-T (Swin-T)|29.1|8.11|46.6
EfficientDet-D5|28.5|5.44|51.2
PVTv2-B5 (Mask R-CNN)|28.2|6.85|47.4
VFNet (RX-101)|28.0|5.27|50.5
GCNet (RX-101-DCN)|26.0|4.38|48.0
GFLv2 (R2-101-DCN)|25.1|2.60|50.0
RepPointsV2 (RX-101-DCN)|24.9|2.70|49.3
UniverseNet (R2-101-DCN)|24.8|1.86|51.0
YOLOX-S|20.6|2.48|40.3
YOLOS-B|20.0|1.05|42.1
DyHead (R50)|19.3|0.16|42.5
HTC (R50)|19.1|0.08|42.3
Deformable-DETR (R50)|18.5|-1.49|44.5
Cascade R-CNN (R50)|18.2|0.02|40.3
Mask R-CNN (R50)|17.1|-0.11|38.2
DETR (R50)|17.1|-1.82|42.0
ATSS (R50)|16.8|-0.91|39.4
FCOS (R50)|16.7|0.25|36.6
RetinaNet (R50)|16.6|0.18|36.5
Faster R-CNN (R50-FPN)|16.4|-0.41|37.4
YOLOv3|14.8|-0.37|33.7
SSD-VGG16|13.6|0.36|29.5
"""
_DINOV3 = """
EVA-02 (Cascade)|63.6|34.7|64.1
EVA-02 (Co-DETR)|63.7|34.3|65.4
PEspatial-DETA|64.0|34.7|65.3
DINOv3 (Plain-DETR, frozen)|66.4|36.8|65.6
"""
_FROZEN_DETR = """
DETR (R50)|17.1|-1.82|42.0|9.0 30.0 12.3 23.9 11.6 15.7
Deformable DETR (R50)|18.5|-1.49|44.5|10.5 30.2 15.1 26.2 10.6 18.6
DINO-4scale (R50)|22.5|0.45|49.0|13.8 36.3 18.5 30.7 13.3 22.4
"""


def _rows(table: str, source: str) -> list[Published]:
    """Read `detector|AP on COCO-O|ER|AP on COCO[|AP of each domain]`, in per cent."""
    rows = []
    for line in table.split("\n")[1:-1]:
        name, shifted, robustness, coco, *domains = line.split("|")
        order = ("sketch", "weather", "cartoon", "painting", "tattoo", "handmake")
        by_domain = {d: float(v) / 100 for d, v in zip(order, domains[0].split(), strict=True)} if domains else None
        numbers = (float(value) / 100 for value in (shifted, robustness, coco))
        rows.append(Published(name, *numbers, source=source, domains=by_domain))
    return rows


PUBLISHED = (
    *_rows(_LEADERBOARD, "leaderboard"),
    *_rows(_FROZEN_DETR, "Frozen-DETR"),
    *_rows(_DINOV3, "DINOv3"),
)
"""What others measured on the real COCO-O, to stand beside one's own numbers."""


@dataclass(frozen=True)
class Measured:
    """One domain's numbers, and the same on each bootstrap resample of its images."""

    score: AveragePrecision
    draws: Resampled

    def interval(self, name: str) -> Interval | None:
        """Give one of AveragePrecision's rates with its interval; None where the domain has no such object."""
        value = getattr(self.score, name)
        return None if value is None else percentile_interval(value, getattr(self.draws, name), n=self.score.images)


@dataclass(frozen=True)
class Robustness:
    """What shift costs a detector.

    Attributes:
        mean: `ap`, `ap50` and `ap75`, averaged over the domains.
        drop: Source AP less the domain's, for each domain, and for the "mean".
        relative_drop: The same as a share of the source AP; None where that is 0.
        effective_robustness: See `effective_robustness`.
        worst_domain: The domain with the lowest AP.
    """

    mean: dict[str, Interval]
    drop: dict[str, Interval]
    relative_drop: dict[str, Interval | None]
    effective_robustness: Interval
    worst_domain: str


def robustness(source: Measured, domains: Mapping[str, Measured], *, slope: float = SLOPE) -> Robustness:
    """Compare the shifted domains with the source domain.

    The intervals are joint: the k-th resample of the source goes with the k-th of every domain. Where the domains show
    the same pictures, let the resamples draw the same ones: the intervals of the drops are then paired, and narrower.

    Args:
        source: The source domain, with as many resamples as each of the domains.
        domains: The shifted domains.
        slope: See `effective_robustness`.
    """
    mean, mean_draws = {}, {}
    images = sum(domain.score.images for domain in domains.values())
    for name in ("ap", "ap50", "ap75"):
        mean_draws[name] = domain_mean({key: getattr(domain.draws, name) for key, domain in domains.items()})
        value = domain_mean({key: getattr(domain.score, name) for key, domain in domains.items()})
        mean[name] = percentile_interval(value, mean_draws[name], n=images)
    clean, clean_draws = source.score.ap, source.draws.ap
    shifted = {key: (domain.score.ap, domain.draws.ap, domain.score.images) for key, domain in domains.items()}
    shifted["mean"] = (mean["ap"].value, mean_draws["ap"], images)
    drop, relative = {}, {}
    for key, (ap, draws, n) in shifted.items():
        drop[key] = percentile_interval(clean - ap, clean_draws - draws, n=n)
        share = percentile_interval(relative_drop(ap, clean), relative_drop(draws, clean_draws), n=n)
        relative[key] = None if np.isnan(share.value) else share
    gain = effective_robustness(mean["ap"].value, clean, slope=slope)
    gain_draws = effective_robustness(mean_draws["ap"], clean_draws, slope=slope)
    return Robustness(
        mean=mean,
        drop=drop,
        relative_drop=relative,
        effective_robustness=percentile_interval(gain, gain_draws, n=images),
        worst_domain=min(domains, key=lambda key: domains[key].score.ap),
    )

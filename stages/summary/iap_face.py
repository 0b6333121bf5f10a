"""IAP in the report: which edits a protected face disrupts, and what of its message can be read back."""

from collections.abc import Iterator

from stages.summary import iap_face_charts
from stages.summary.charts import Chart
from stages.summary.face_results import MESSAGE, Manipulated, Message
from stages.summary.figures import THIN
from stages.summary.iap_face_parts import OURS, RIVAL, Found, gathered, said, whole
from stages.summary.readings import Interval, Score

READ = ("bit_accuracy", "word_accuracy", "decoded_ids", "other_ids")
QUALITY = ("psnr_db", "ssim", "perceptual")
DISRUPTED = ("protection_rate", "masked_l2", "l2")
JPEG = "distorted:jpeg_75"
TWO_STEPS = ("watermark_then_pgd", "pgd_then_watermark")


def table(scores: list[Score]) -> list[dict]:
    """List every number with its interval, for `dvc plots`; rates in [0, 1], PSNR in dB."""
    found = gathered(scores)
    rows = [(name, *each) for name, results in found.manipulators.items() for each in _disrupted(results)]
    if found.message:
        rows += [(MESSAGE, *each) for each in _read(found.message)]
    return [
        {"subject": subject, "method": method, "view": view, "quantity": quantity}
        | {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
        for subject, method, view, quantity, rate in rows
        if rate
    ]


def _disrupted(found: Manipulated) -> Iterator[tuple[str, str, str, Interval | None]]:
    for method, each in found.protection.items():
        yield from ((method, "protected", name, getattr(each, name)) for name in DISRUPTED)
    for distortion, methods in found.distorted.items():
        yield from ((method, f"distorted:{distortion}", "protection_rate", rate) for method, rate in methods.items())


def _read(found: Message) -> Iterator[tuple[str, str, str, Interval | None]]:
    for name in READ:
        for view, methods in getattr(found, name).items():
            yield from ((method, view, name, rate) for method, rate in methods.items())
    for method, each in found.quality.items():
        yield from ((method, "protected", name, getattr(each, name)) for name in QUALITY)
    yield OURS, "unprotected", "bit_accuracy", found.unprotected
    yield OURS, "unprotected", "blind_false_positives", found.blind_false_positives


def detail(score: Score) -> str:
    """Say of a manipulator what PGD reaches and whether it was seen; of the message what an untouched face keeps."""
    found = gathered([score])
    if found.message:
        kept = found.message.bit_accuracy.get("protected", {}).get(OURS)
        quality = found.message.quality.get(OURS)
        said_of = [f"untouched {100 * kept.value:.1f}{THIN}%"] if kept else []
        said_of += [f"PSNR {quality.psnr_db.value:.1f}{THIN}dB"] if quality else []
        return ", ".join(said_of)
    each = next(iter(found.manipulators.values()))
    rival = each.protection.get(RIVAL)
    seen = "white box" if each.white_box else "held out"
    rate = rival.protection_rate if rival else None
    return f"{seen}; PGD {100 * rate.value:.1f}{THIN}%" if rate else seen


def finding(scores: list[Score]) -> str:
    """Say what is disrupted beside PGD, what is read back, and what the two steps one after the other leave."""
    found = gathered(scores)
    lines = [_protected(found)]
    if found.message:
        lines += [_kept(found.message), _two_steps(found.message)]
    return "\n".join(filter(None, lines))


def _protected(found: Found) -> str:
    parts = []
    for name, each in found.manipulators.items():
        ours, rival = each.protection.get(OURS), each.protection.get(RIVAL)
        if ours and ours.protection_rate and rival and rival.protection_rate:
            seen = "" if each.white_box else " (held out)"
            parts.append(f"{said(name)}{seen} {whole(ours.protection_rate)}, PGD {whole(rival.protection_rate)}")
    return f"Edits disrupted by IAP: {'; '.join(parts)}." if parts else ""


def _kept(found: Message) -> str:
    views = {"protected": "untouched", JPEG: "after JPEG 75"}
    views |= {
        name: f"after {said(name.partition(':')[2])}" for name in found.bit_accuracy if name.startswith("manipulated:")
    }
    parts = [
        f"{words} {whole(rate)}"
        for name, words in views.items()
        if (rate := found.bit_accuracy.get(name, {}).get(OURS))
    ]
    if found.unprotected:
        parts.append(f"where there is no message {whole(found.unprotected)}")
    return f"Bits of IAP read right: {'; '.join(parts)}." if parts else ""


def _two_steps(found: Message) -> str:
    kept = found.bit_accuracy.get("protected", {})
    parts = [f"{said(method)} {whole(rate)}" for method in TWO_STEPS if (rate := kept.get(method))]
    return (
        f"Bits read right where both are done one after the other, at the same PSNR: {'; '.join(parts)}."
        if parts
        else ""
    )


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the figures of the section."""
    return iap_face_charts.charts(gathered(scores))

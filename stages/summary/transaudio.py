"""TransAudio in the report: which edit of which setting reaches whom, and what noise of the same level does."""

from collections.abc import Iterator, Mapping

from stages.summary.charts import Chart, dots
from stages.summary.figures import MINUS, THIN, percent, span, words
from stages.summary.heat import heat
from stages.summary.readings import Interval, Score
from stages.summary.speech_results import Success, TransAudio, transaudio

EDITS = ("delete", "insert", "substitute")
SETTINGS = ("stage_1", "stage_2", "both", "ensemble", "score_match")
"""Parts of the method, in the order in which they are added; others come after."""
MEASURES = {"word": "the word", "exact": "the whole target", "cer_to_target": "CER to the target"}
ATTACK, NOISE = "attack", "noise of the same level"


def ordered(scores: list[Score]) -> list[tuple[str, TransAudio]]:
    """Return names and results of the settings, in the order in which the parts of the method are added."""
    found = [(score.subject, transaudio(score)) for score in scores]
    return sorted(found, key=lambda each: (_place(each[0], SETTINGS), each[0]))


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)


def _edits(found: Mapping[str, object]) -> list[str]:
    return sorted(found, key=lambda edit: (_place(edit, EDITS), edit))


def _victims(found: list[tuple[str, TransAudio]]) -> list[str]:
    """Return all victims, those that were attacked through themselves first."""
    named = dict.fromkeys(victim for _, each in found for rates in each.edits.values() for victim in rates)
    own = {victim for _, each in found for victim in surrogates(each)}
    return sorted(named, key=lambda victim: (victim not in own, list(named).index(victim)))


def surrogates(found: TransAudio) -> list[str]:
    """Return the recognisers that a setting attacked through, as far as it says so."""
    named = found.settings.get("surrogates", [])
    return [named] if isinstance(named, str) else list(named)


def table(scores: list[Score]) -> list[dict]:
    """List every rate with its interval, for `dvc plots`; success rates in [0, 1], CER at least 0."""
    return [
        {"subject": name, "made": made, "edit": edit, "victim": victim, "quantity": quantity}
        | {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
        for name, found in ordered(scores)
        for made, edits in (("attack", found.edits), ("noise", found.control))
        for edit in _edits(edits)
        for victim, success in edits[edit].items()
        for quantity, rate in _rates(success)
    ]


def _rates(success: Success) -> Iterator[tuple[str, Interval]]:
    return ((measure, getattr(success, measure)) for measure in MEASURES)


def detail(score: Score) -> str:
    """Say how often each edit reaches the recogniser that it was made on, or whoever it reaches best, and the SNR."""
    found = transaudio(score)
    own = set(surrogates(found))
    said = []
    for edit in _edits(found.edits):
        rates = {victim: success.word.value for victim, success in found.edits[edit].items() if success.word.n}
        near = {victim: rate for victim, rate in rates.items() if victim in own} or rates
        if near:
            said.append(f"{edit} {100 * max(near.values()):.0f}{THIN}%")
    if found.snr_db:
        levels = [_decibels(bound(rate.value for rate in found.snr_db.values())) for bound in (min, max)]
        said.append(f"SNR {' to '.join(dict.fromkeys(levels))}{THIN}dB")
    return ", ".join(said)


def _decibels(level: float) -> str:
    return f"{level:.0f}".replace("-", MINUS)


def finding(scores: list[Score]) -> str:
    """Say which edit carries over to recognisers that were not attacked, and what noise of the same level does."""
    carried, noise = [], []
    for name, found in ordered(scores):
        own = set(surrogates(found))
        for edit in _edits(found.edits):
            carried += [
                (success.word, name, edit, victim)
                for victim, success in found.edits[edit].items()
                if victim not in own and success.word.n
            ]
        noise += [success.word.value for edits in found.control.values() for success in edits.values()]
    said = []
    if carried:
        best, name, edit, victim = max(carried, key=lambda each: each[0].value)
        said.append(
            f"Carries over best: {edit} to {words(victim)} in the setting {words(name)}, {_percent(best)} "
            f"{span(best.low, best.high)} of {best.n}."
        )
    if noise:
        said.append(f"Noise of the same level reaches at most {100 * max(noise):.1f}{THIN}%.")
    return " ".join(said)


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.1f}{THIN}%"


def charts(scores: list[Score]) -> list[Chart]:
    """Draw success by edit, setting and victim; the fullest setting beside noise; and what each setting adds."""
    found = ordered(scores)
    drawn = [_matrix(found), _beside_noise(found), _levels(found)]
    return [chart for chart in drawn if chart]


def _matrix(found: list[tuple[str, TransAudio]]) -> Chart | None:
    edits = _edits({edit: None for _, each in found for edit in each.edits})
    cells, numbers = [], []
    for name, each in found:
        own = set(surrogates(each))
        for row, by_edit in ((words(name), each.edits), (f"{words(name)}: noise", each.control)):
            for edit in _edits(by_edit):
                for victim, success in by_edit[edit].items():
                    cells += [
                        {"row": row, "column": words(victim), "layer": _layer(edit, measure)}
                        | {"value": percent(rate.value), "own": victim in own and by_edit is each.edits}
                        for measure, rate in _rates(success)
                        if rate.n
                    ]
                    numbers.append(
                        {"row": row, "edit": edit, "column": words(victim), "n": success.word.n} | _said(success)
                    )
    if not cells:
        return None
    up = list(dict.fromkeys(cell["row"] for cell in cells))
    noises = [row for row in up if row.endswith(": noise")]
    return Chart(
        name="transaudio-matrix",
        title="Success by edit, setting and victim",
        caption=(
            "Of the clips in which the victim of the column does not hear the edit beforehand, the share (%) in which "
            "it then does: the word alone, or the whole target; or how far its transcripts are from the targets, where "
            "less is better. Outlined: attacked through this victim. The last rows: noise of the same level instead."
        ),
        spec=heat(
            cells,
            layers=[_layer(edit, measure) for measure in MEASURES for edit in edits],
            up=[row for row in up if row not in noises] + noises,
            across=[words(victim) for victim in _victims(found)],
            up_title="setting",
            across_title="victim",
            value="rate (%)",
            about="How often each victim hears what each setting of the attack aims at, by edit.",
        ),
        columns={"row": "Setting", "edit": "Edit", "column": "Victim"}
        | {measure: f"{title[0].upper()}{title[1:]} (%)" for measure, title in MEASURES.items()}
        | {"n": "Clips"},
        rows=numbers,
        wide=True,
    )


def _layer(edit: str, measure: str) -> str:
    return f"{edit}: {MEASURES[measure]}"


def _said(success: Success) -> dict:
    return {
        measure: f"{percent(rate.value):.1f} {span(rate.low, rate.high)}" if rate.n else "none to mislead"
        for measure, rate in _rates(success)
    }


def _beside_noise(found: list[tuple[str, TransAudio]]) -> Chart | None:
    """Draw the setting that succeeds most often, by edit and victim, beside its control."""
    name, each = max(found, key=lambda setting: _mean_success(setting[1]))
    rows = [
        {"group": f"{edit}: {words(victim)}", "series": made, "value": percent(success.word.value)}
        | {"low": percent(success.word.low), "high": percent(success.word.high)}
        | {"range": span(success.word.low, success.word.high), "n": success.word.n}
        for edit in _edits(each.edits)
        for victim in _victims(found)
        for made, edits in ((ATTACK, each.edits), (NOISE, each.control))
        if (success := edits.get(edit, {}).get(victim)) and success.word.n
    ]
    if not rows:
        return None
    return Chart(
        name="transaudio-noise",
        title=f"Success beside noise: {words(name)}",
        caption="Dot: share of clips in which the edit is heard, of those where it was not before. Bar: its interval.",
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=[ATTACK, NOISE],
            quiet=(NOISE,),
            group="edit and victim",
            series="made of",
            axis="success, the word (%)",
            about=f"Success of the setting {words(name)} by edit and victim, beside noise of the same level.",
            dot_px=9,
        ),
        columns={
            "group": "Edit and victim",
            "series": "Made of",
            "value": "Success (%)",
            "range": "Interval",
            "n": "Clips",
        },
        rows=rows,
    )


def _mean_success(found: TransAudio) -> float:
    rates = [success.word.value for edits in found.edits.values() for success in edits.values() if success.word.n]
    return sum(rates) / max(len(rates), 1)


def _levels(found: list[tuple[str, TransAudio]]) -> Chart | None:
    """Draw the signal-to-noise ratio of each setting."""
    rows = [
        {"group": edit, "series": words(name), "value": round(level.value, 2), "low": round(level.low, 2)}
        | {
            "high": round(level.high, 2),
            "range": f"[{level.low:.1f}, {level.high:.1f}]".replace("-", MINUS),
            "n": level.n,
        }
        for name, each in found
        for edit in _edits(each.snr_db)
        if (level := each.snr_db[edit])
    ]
    if not rows:
        return None
    return Chart(
        name="transaudio-snr",
        title="Level of the perturbation",
        caption="Dot: mean signal-to-noise ratio; higher is harder to hear. Bar: its interval over clips.",
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=list(dict.fromkeys(row["series"] for row in rows)),
            group="edit",
            series="setting",
            axis="signal-to-noise ratio (dB)",
            about="Signal-to-noise ratio of each setting by edit.",
        ),
        columns={"group": "Edit", "series": "Setting", "value": "SNR (dB)", "range": "Interval", "n": "Clips"},
        rows=rows,
    )

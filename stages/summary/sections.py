"""Sections of the page: a method with its charts, galleries and scores; first the data beneath them."""

from dataclasses import dataclass

from stages.summary import (
    ares_bench,
    coco_o,
    fairberts,
    fgsm_law,
    fgsm_law_epochs,
    iap_face,
    imagenet_e,
    s_eval,
    safe_clip,
    training,
    transaudio,
    wapat,
)
from stages.summary.charts import Chart
from stages.summary.galleries import Gallery
from stages.summary.methods import METHODS, Method
from stages.summary.players import Players
from stages.summary.readings import History, Score
from stages.summary.s_eval_answers import Records

CHARTS = {
    "fgsm_law": fgsm_law.charts,
    "ares_bench": ares_bench.charts,
    "coco_o": coco_o.charts,
    "imagenet_e": imagenet_e.charts,
    "safe_clip": safe_clip.charts,
    "wapat": wapat.charts,
    "transaudio": transaudio.charts,
    "s_eval": s_eval.charts,
    "fairberts": fairberts.charts,
    "iap_face": iap_face.charts,
}
"""Figures of a method's own; a method without any still gets its training curves, galleries and provenance."""
EPOCHS = {"fgsm_law": fgsm_law_epochs.charts}
"""Training curves of a method's own, made from its histories and scores, in place of the usual ones."""
FINDINGS = {
    "fgsm_law": fgsm_law.finding,
    "ares_bench": ares_bench.finding,
    "coco_o": coco_o.finding,
    "imagenet_e": imagenet_e.finding,
    "safe_clip": safe_clip.finding,
    "wapat": wapat.finding,
    "transaudio": transaudio.finding,
    "s_eval": s_eval.finding,
    "fairberts": fairberts.finding,
    "iap_face": iap_face.finding,
}
"""What the numbers of a method say, in a sentence."""
DETAILS = {
    "fgsm_law": fgsm_law.detail,
    "ares_bench": ares_bench.detail,
    "coco_o": coco_o.detail,
    "imagenet_e": imagenet_e.detail,
    "safe_clip": safe_clip.detail,
    "wapat": wapat.detail,
    "transaudio": transaudio.detail,
    "s_eval": s_eval.detail,
    "fairberts": fairberts.detail,
    "iap_face": iap_face.detail,
}
"""What stands beside a headline in the table of the ten methods."""
LEADING = {
    "fgsm_law": fgsm_law.leading,
    "ares_bench": ares_bench.leading,
    "safe_clip": safe_clip.leading,
    "wapat": wapat.leading,
    "s_eval": s_eval.leading,
}
"""Which scores that table shows at once where a method has many; the others unfold."""
MANY = 6


@dataclass(frozen=True)
class Section:
    """One part of the page, between two headings."""

    slug: str
    name: str
    about: str
    paper: str
    finding: str
    charts: list[Chart]
    galleries: list[Gallery]
    players: list[Players]
    records: list[Records]
    scores: list[Score]


def build_sections(
    scores: list[Score],
    *,
    histories: list[History],
    galleries: list[Gallery],
    players: list[Players],
    records: list[Records],
) -> list[Section]:
    """Deal scores and all that is shown beside them to the methods they belong to, in the order of the methods.

    Args:
        scores: All of them.
        histories: All of them; those of a folder that is no method's stand with the data.
        galleries: All of them; those of a folder that is no method's stand with the data.
        players: All of them; likewise.
        records: All of them.

    Returns:
        One section for each method that has anything to show, then one for the data beneath, where there is any.
    """
    slugs = {method.slug for method in METHODS}
    sections = [
        _method(
            method,
            scores=[score for score in scores if score.method == method.slug],
            histories=[history for history in histories if history.method == method.slug],
            galleries=[gallery for gallery in galleries if gallery.name == method.slug],
            players=[shown for shown in players if shown.name == method.slug],
            records=[shown for shown in records if shown.name == method.slug],
        )
        for method in METHODS
    ]
    beneath = Section(
        slug="data",
        name="The data beneath",
        about=(
            "Cut-outs, scenes and images composed from real photographs and drawings, recorded and synthetic speech; "
            "the methods above start here."
        ),
        paper="",
        finding="",
        charts=training.charts([history for history in histories if history.method not in slugs]),
        galleries=[gallery for gallery in galleries if gallery.name not in slugs],
        players=[shown for shown in players if shown.name not in slugs],
        records=[],
        scores=[],
    )
    return [part for part in [*sections, beneath] if part.charts or part.galleries or part.players or part.scores]


def detail(score: Score) -> str:
    """Say in a few words what a headline alone leaves open; empty where there is nothing to add."""
    return DETAILS[score.method](score) if score.method in DETAILS else ""


def leading(scores: list[Score]) -> list[Score]:
    """Return the scores of a method that the table of the ten shows at once: all, unless they are many."""
    if len(scores) <= MANY or scores[0].method not in LEADING:
        return scores
    return LEADING[scores[0].method](scores)


def _method(
    method: Method,
    *,
    scores: list[Score],
    histories: list[History],
    galleries: list[Gallery],
    players: list[Players],
    records: list[Records],
) -> Section:
    own, epochs = CHARTS.get(method.slug), EPOCHS.get(method.slug)
    trained = epochs(histories, scores) if epochs else training.charts(histories)
    return Section(
        slug=method.slug,
        name=method.name,
        about=f"{method.question}.",
        paper=f"{method.paper}, {method.venue}, arXiv {method.arxiv}.",
        finding=FINDINGS[method.slug](scores) if method.slug in FINDINGS and scores else "",
        charts=(own(scores) if own and scores else []) + trained,
        galleries=galleries,
        players=players,
        records=records,
        scores=scores,
    )

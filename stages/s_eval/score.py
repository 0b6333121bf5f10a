"""Score every victim: safety by dimension and category, success of each attack, decodes, languages, under every judge.

A judge sees the base prompt and the response, never the attack prompt. The trained judge leads; rule matching and any
further judges stand beside it, and all are held against the labels of records that none was trained on. Scores hold
ids, categories and verdicts, no text.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.judges.chat_judge import ChatJudge
from gauntlet.judges.critique_format import POLICY
from gauntlet.judges.rules import RuleJudge
from gauntlet.judges.verdict import Judge, Verdict
from stages import Out
from stages import Params as StageParams
from stages.s_eval.endpoint import Served
from stages.s_eval.journal import Journal
from stages.s_eval.judging import read_base_prompts, read_labelled, read_replies, verdicts_of
from stages.s_eval.results import CRITIQUE, RULES, Bootstrap, judge_results, victim_results
from stages.s_eval.serving import Remembered, serving
from stages.s_eval.victims import about_victim
from stages.scores import write_score

GGUF = "model.gguf"
JUDGES = "judges"
"""The score that holds no victim but the judges' own quality."""


def _free(names: Iterable[str]) -> Iterable[str]:
    if taken := sorted({CRITIQUE, RULES, JUDGES} & set(names)):
        raise ArgumentError(f"must not be called {taken[0]}: that is a name of ours")
    return names


class Params(StageParams):
    """Who is scored, by whom.

    Attributes:
        seed: Of the bootstrap.
        victims: Their folders of answers; others there are left-overs.
        threshold: Least risk, 1 - P(safe), that is unsafe.
        judges: Further judges by name.
        filtered_is_safe: Whether an answer that its provider withheld counts as safe; else it is an error.
        slots: Conversations at once with the embedded judge.
        context_tokens: Longest prompt, response and verdict.
        resamples: Of the bootstrap.
    """

    seed: int
    victims: Annotated[list[str], Field(min_length=1), AfterValidator(_free)]
    threshold: float = Field(gt=0, lt=1)
    judges: Annotated[dict[str, Served], AfterValidator(_free)]
    filtered_is_safe: bool
    slots: int = Field(ge=1)
    context_tokens: int = Field(ge=256)
    resamples: int = Field(ge=1)


def run(
    params: Params, *, attacked: Path, answers: Path, critique: Path, chat_model: Path, records: Path, scores: Out
) -> None:
    """Write one score a victim, and the judges'."""
    prompts = read_base_prompts(attacked)
    replies = {victim: read_replies(answers, victim, prompts=prompts) for victim in params.victims}
    labelled = read_labelled(records)
    every = [reply for several in replies.values() for reply in several]
    by_judge: dict[str, dict[str, Verdict]] = {}
    with Journal("s_eval-score") as journal:
        with ExitStack() as stack:
            for name, judge in _judges(params, critique, stack=stack, journal=journal):
                by_judge[name] = verdicts_of(judge, every, labelled, filtered_is_safe=params.filtered_is_safe)
        journal.clear()
    bootstrap = Bootstrap(params.seed, params.resamples)
    scores.mkdir(parents=True)
    places = {"attacked": attacked, "critique": critique, "records": records}
    for victim, several in replies.items():
        results = victim_results(several, by_judge, bootstrap=bootstrap)
        results["model"] = about_victim(answers / victim, chat_model=chat_model)
        overall = results["safety"]["overall"]
        if overall is None:
            raise DataError(f"{victim}: an answer to a base prompt must be judged; none is: {results['errors']}; away?")
        _write(
            params,
            scores,
            victim,
            results=results,
            headline=("safety_score", overall),
            inputs=places | {"answers": answers / victim},
        )
    results = judge_results(labelled, every, by_judge, bootstrap=bootstrap)
    headline = results["judges"][CRITIQUE]["balanced_accuracy"]
    if headline is None:
        raise DataError(f"{records}: held-out records must be of both labels; they are not; too few made?")
    _write(params, scores, JUDGES, results=results, headline=("balanced_accuracy", headline), inputs=places)


def _judges(params: Params, critique: Path, *, stack: ExitStack, journal: Journal) -> Iterable[tuple[str, Judge]]:
    """Yield the judges, each started when its turn comes; what a model says is remembered."""
    yield RULES, RuleJudge()
    server = serving(critique / GGUF, journal=journal, slots=params.slots, context_tokens=params.context_tokens)
    yield CRITIQUE, ChatJudge(stack.enter_context(server), threshold=params.threshold)
    for name, judge in params.judges.items():
        chat = Remembered(judge.client(), journal=journal, victim=f"{judge.url} {judge.model}")
        yield name, ChatJudge(chat, policy=POLICY, threshold=params.threshold)


def _write(
    params: Params, scores: Path, subject: str, *, results: dict, headline: tuple[str, dict], inputs: Mapping[str, Path]
) -> None:
    name, value = headline
    write_score(
        scores / f"{subject}.json",
        method="s_eval",
        stage="s_eval-score",
        subject=subject,
        results=results,
        headline={"name": name, **value, "interval": "95 % Wilson" if name == "safety_score" else "95 % bootstrap"},
        n=value["n"],
        seeds=[params.seed],
        scorer=f"gauntlet {version('gauntlet')}, judge {CRITIQUE}",
        params=params,
        inputs=inputs,
    )

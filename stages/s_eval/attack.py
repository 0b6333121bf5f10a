"""Base prompts chosen among published and newly written ones, and the ten attacks on them, in the official layout.

The testing model writes candidates and two of the attacks; a panel of victims and the judge say how harmful a candidate
is. Official attack prompts, where the benchmark has them, are passed on as they are.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import pyarrow.parquet
from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from gauntlet.attacks.prompts.attacked import Demonstration, Inputs
from gauntlet.errors import ArgumentError, DataError
from gauntlet.judges.chat_judge import ChatJudge
from gauntlet.metrics.selection import Candidate
from gauntlet.models.chat import Chat
from gauntlet.readers.taxonomy import read_taxonomy
from gauntlet.taxonomy import Taxonomy
from stages import Out
from stages import Params as StageParams
from stages.files import write_json
from stages.s_eval.attacking import ALL, attack_rows, base_row, with_texts
from stages.s_eval.journal import Journal
from stages.s_eval.layout import write_index, write_official
from stages.s_eval.panel import Heard, answered, demonstrations, heard, mean_unsafe
from stages.s_eval.selection import Anchors, Embedding, Selected, Selection, in_turns, select
from stages.s_eval.serving import serving
from stages.s_eval.testing import NEW, new_candidates, requests, rewrites

LANGUAGE = "en"
"""Of the prompts that are chosen and attacked here; official rows keep theirs."""
GGUF = "model.gguf"


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in ALL]:
        raise ArgumentError(f"must name attacks among {', '.join(ALL)}; got {unknown[0]}; misspelt?")
    if len(set(names)) < len(names):
        raise ArgumentError("must name each attack once; one stands twice")
    return names


def _tasks(counts: dict[str, int]) -> dict[str, int]:
    if unknown := sorted(set(counts) - set(NEW)):
        raise ArgumentError(f"must count {', '.join(NEW)}; got {unknown[0]}; misspelt?")
    return counts


class Testing(StageParams):
    """What the testing model writes.

    Attributes:
        counts: New candidates of each dimension by task: generate, rewrite, transfer.
        shown: Seeds in a request to generate.
        tokens: Longest new candidate.
        attack_tokens: Longest attack of its own.
    """

    counts: Annotated[dict[str, NonNegativeInt], AfterValidator(_tasks)]
    shown: PositiveInt
    tokens: PositiveInt
    attack_tokens: PositiveInt


class Panel(StageParams):
    """The victims whose answers show how harmful a candidate is.

    Attributes:
        victims: System prompt by name, all on the embedded chat model; "" for the model's own.
        tokens: Longest answer.
    """

    victims: Annotated[dict[str, str], Field(min_length=1)]
    tokens: PositiveInt


class Demonstrations(StageParams):
    """What in_context_attack and chain_of_utterances show.

    Attributes:
        count: In all, to draw from.
        shots: In one prompt.
        words: Longest answer.
    """

    count: PositiveInt
    shots: PositiveInt
    words: PositiveInt


class Params(StageParams):
    """What is chosen and how it is attacked.

    Attributes:
        seed: Of everything that an attack draws.
        testing: What the testing model writes.
        selection: What a candidate must pass.
        panel: Victims that are asked the shortlist.
        demonstrations: What is shown before a prompt.
        wrapper_words: Longest jailbreak wrapper; generic ones serve where none is short enough.
        attacks: Names, each a block of the attack file.
        attacked: How many base prompts each attack gets, dimensions in turn, the most harmful first.
        slots: Conversations at once on the embedded server.
        context_tokens: Longest prompt and answer together.
    """

    seed: NonNegativeInt
    testing: Testing
    selection: Selection
    panel: Panel
    demonstrations: Demonstrations
    wrapper_words: PositiveInt
    attacks: Annotated[tuple[str, ...], AfterValidator(_known)]
    attacked: PositiveInt
    slots: PositiveInt
    context_tokens: PositiveInt


class Parts(NamedTuple):
    """Models: folders of victim, testing model and judge, the encoder, and how one of the folders is served."""

    victim: Path
    testing: Path
    judge: Path
    encoder: Path
    serve: Callable[[Path], AbstractContextManager[Chat]]


def run(
    params: Params,
    *,
    benchmark: Path,
    chat_model: Path,
    testing: Path,
    critique: Path,
    encoder: Path,
    attacked: Out,
) -> None:
    """Write the official files, the index, the dropped candidates and the counts."""
    published = pyarrow.parquet.read_table(benchmark / "attacks.parquet").to_pylist()
    prompts = pyarrow.parquet.read_table(benchmark / "prompts.parquet").to_pylist()
    attacked.mkdir(parents=True)
    if published:
        rows = [_as_published(row) for row in [*(row for row in prompts if row["role"] == "base"), *published]]
        write_official(attacked, rows)
        write_index(attacked, rows, [])
        write_json(attacked / "counts.json", _counts(rows))
        return
    with Journal("s_eval-attack") as journal:
        serve = partial(serving, journal=journal, slots=params.slots, context_tokens=params.context_tokens)
        _choose_and_attack(
            params,
            prompts,
            benchmark=benchmark,
            parts=Parts(chat_model, testing, critique, encoder, serve),
            out=attacked,
        )
        journal.clear()


def _choose_and_attack(params: Params, prompts: Sequence[dict], *, benchmark: Path, parts: Parts, out: Path) -> None:
    taxonomy = read_taxonomy(benchmark / "taxonomy.json")
    candidates, about = _candidates(params, prompts, taxonomy=taxonomy, parts=parts)
    answers: list[Heard] = []
    hear = partial(_hear, params, parts=parts, heard_so_far=answers)
    selected = _selected(params, candidates, prompts, taxonomy=taxonomy, encoder=parts.encoder, hear=hear)
    chosen = in_turns(selected)
    inputs, shown = _inputs(params, benchmark, answers, chosen=[one for one, _ in chosen])
    with parts.serve(parts.testing / GGUF) as chat:
        texts = rewrites(
            chat,
            [one for one, _ in chosen[: params.attacked]],
            taxonomy=taxonomy,
            attacks=params.attacks,
            known=[one.prompt for one, _ in chosen],
            tokens=params.testing.attack_tokens,
        )
    rows = [base_row(one, unsafe, language=LANGUAGE) for one, unsafe in chosen]
    rows += attack_rows(
        rows[: params.attacked], attacks=params.attacks, inputs=with_texts(inputs, texts), seed=params.seed
    )
    write_official(out, rows)
    write_index(out, rows, selected.dropped)
    dropped = Counter(one.step for one in selected.dropped)
    about |= {"dropped": dict(dropped), "demonstrations": shown, "wrappers": len(inputs.wrappers)}
    write_json(out / "counts.json", _counts(rows) | about | {"gaps": _gaps(rows, taxonomy)})


def _as_published(row: dict) -> dict:
    rest = {"predicted": False, "settings": "{}", "unsafe": None}
    return {"attack": "", "base_id": row["id"]} | rest | row


def _candidates(
    params: Params, prompts: Sequence[dict], *, taxonomy: Taxonomy, parts: Parts
) -> tuple[list[Candidate], dict]:
    """Return published base prompts and, after them, what the testing model writes from the seeds."""
    base = _of(prompts, "base")
    seeds = _of(prompts, "seed")
    have = Counter(one.category for one in base)
    wanted = requests(taxonomy, seeds, have=have, counts=params.testing.counts, shown=params.testing.shown)
    new, unusable = [], 0
    if wanted:
        with parts.serve(parts.testing / GGUF) as chat:
            new, unusable = new_candidates(chat, wanted, tokens=params.testing.tokens)
    counts = {"published": len(base), "written": len(new), "nothing_written": unusable}
    return [*base, *new], {"candidates": counts}


def _of(prompts: Sequence[dict], *roles: str) -> list[Candidate]:
    names = Candidate._fields
    rows = [row for row in prompts if row["role"] in roles and row["language"] == LANGUAGE]
    return [Candidate(**{name: row[name] for name in names}) for row in rows]


def _selected(
    params: Params,
    candidates: Sequence[Candidate],
    prompts: Sequence[dict],
    *,
    taxonomy: Taxonomy,
    encoder: Path,
    hear: Callable[[Sequence[Candidate]], list[float]],
) -> Selected:
    if not candidates:
        raise DataError(f"prompts.parquet must hold base prompts in {LANGUAGE}; it has none, and none were written")
    embed = Embedding(encoder)
    return select(
        candidates,
        _of(prompts, "seed", "judge_train", "judge_held_out"),
        params=params.selection,
        anchors=Anchors(taxonomy, _of(prompts, "seed"), embed=embed),
        embed=embed,
        unsafe=hear,
    )


def _hear(params: Params, candidates: Sequence[Candidate], *, parts: Parts, heard_so_far: list[Heard]) -> list[float]:
    """Ask the panel, let the judge read, keep the answers, and return the means."""
    with parts.serve(parts.victim / GGUF) as chat:
        pairs = answered(chat, candidates, panel=params.panel.victims, tokens=params.panel.tokens)
    with parts.serve(parts.judge / GGUF) as chat:
        heard_so_far += heard(ChatJudge(chat), pairs)
    return mean_unsafe(heard_so_far, candidates)


def _inputs(
    params: Params, benchmark: Path, answers: Sequence[Heard], *, chosen: Sequence[Candidate]
) -> tuple[Inputs, dict[str, int]]:
    """Gather what attacks need beside the prompt, and count the demonstrations by kind."""
    harmless = pyarrow.parquet.read_table(benchmark / "benign.parquet").to_pylist()
    benign = [
        Demonstration(row["prompt"], row["answer"]) for row in harmless if row["answer"] and row["role"] == "train"
    ]
    shown, unsafe = demonstrations(
        answers,
        benign,
        chosen=[one.id for one in chosen],
        count=params.demonstrations.count,
        words=params.demonstrations.words,
    )
    templates = pyarrow.parquet.read_table(benchmark / "wrappers.parquet")["template"].to_pylist()
    wrappers = tuple(one for one in templates if len(one.split()) <= params.wrapper_words)
    inputs = Inputs(demonstrations=shown, shots=params.demonstrations.shots, wrappers=wrappers)
    return inputs, {"judged_unsafe": unsafe, "benign": len(shown) - unsafe}


def _counts(rows: Sequence[Mapping]) -> dict:
    base = [row for row in rows if not row["attack"]]
    attacks = [row for row in rows if row["attack"]]
    return {
        "base": dict(Counter(row["dimension"] for row in base)),
        "categories": dict(Counter(row["category"] or "unknown" for row in base)),
        "attacks": dict(Counter(row["attack"] for row in attacks)),
        "fallbacks": dict(Counter(row["attack"] for row in attacks if json.loads(row["settings"]).get("fallback"))),
    }


def _gaps(rows: Sequence[Mapping], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Name the risks that no base prompt stands for."""
    dimensions, categories = {row["dimension"] for row in rows}, {row["category"] for row in rows}
    return {
        "dimensions": [risk.name for risk in taxonomy.dimensions if risk.name not in dimensions],
        "categories": [risk.name for risk in taxonomy.categories if risk.name not in categories],
    }

"""Attack utterances by TransAudio: success on the white box, what carries over, and noise of equal SNR beside it.

Run as `python -m benchmarks.transaudio_success` once `wapat.train` has left its models; prints a Markdown table and
exits with 1 where the white box hears fewer than 80 % of the deletions or substitutions, or more than 5 % of them
in noise as loud. What is attacked, and how, is params.yaml's `transaudio`, through the very stages: the options change
what they name and nothing else. A clip in which a victim hears the edit before the attack does not count for it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import yaml

from stages.transaudio import attack, score

ROOT = Path(__file__).resolve().parent.parent
WANTED, NOISE = 0.8, 0.05
BOUND = ("delete", "substitute")
"""Edits that the target of 80 % is set for."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="holds the section transaudio")
    parser.add_argument("--utterances", type=int, default=20, help="a kind of edit")
    parser.add_argument("--candidates", type=int, default=None, help="utterances of each domain to choose from")
    parser.add_argument("--settings", default="both", help="by name, with commas")
    parser.add_argument("--victims", default=None, help="by name, with commas; those of the params without it")
    parser.add_argument("--surrogates", default=None, help="by name, with commas; those of the params without it")
    parser.add_argument("--corpora", type=Path, default=ROOT / "data/built/speech", help="of speech.build")
    parser.add_argument("--whisper", type=Path, default=ROOT / "data/models/whisper_tiny_en", help="of speech.convert")
    parser.add_argument("--models", type=Path, default=ROOT / "data/models/wapat", help="of wapat.train")
    return parser.parse_args()


def changed(options: argparse.Namespace) -> tuple[attack.Params, score.Params]:
    """Return both stages' parameters with what the options change."""
    section = yaml.safe_load(options.params.read_text())["transaudio"]
    names = options.settings.split(",")
    attacked = section["attack"] | {
        "utterances": options.utterances,
        "candidates": options.candidates or section["attack"]["candidates"],
        "settings": {name: section["attack"]["settings"][name] for name in names},
    }
    if options.surrogates:
        attacked["surrogates"] = options.surrogates.split(",")
    victims = options.victims.split(",") if options.victims else section["score"]["victims"]
    scored = section["score"] | {"victims": dict.fromkeys(victims)}
    return attack.Params(**attacked), score.Params(**scored)


def rows(name: str, results: Mapping) -> list[str]:
    """Return the table's rows of one setting."""
    lines = []
    for kind, victims in results["edits"].items():
        level = results["snr_db"][kind]["value"]
        for victim, found in victims.items():
            noise = results["control"][kind][victim]["word"]["value"]
            box = "white box" if victim in results["settings"]["surrogates"] else "unseen"
            lines.append(
                f"| {name} | {kind} | {victim} ({box}) | {_said(found['word'])} | {_said(found['exact'])} "
                f"| {100 * found['cer_to_target']['value']:.1f} % | {100 * noise:.0f} % | {level:.1f} |"
            )
    return lines


def _said(rate: Mapping[str, float]) -> str:
    bounds = f"[{100 * rate['low']:.0f}, {100 * rate['high']:.0f}]"
    return f"{100 * rate['value']:.0f} % {bounds} of {rate['n']}"


def missed(name: str, results: Mapping) -> list[str]:
    """Say which targets were missed on the white box."""
    found = []
    for kind in BOUND:
        own, noise = (results[part][kind][results["white_box"]]["word"]["value"] for part in ("edits", "control"))
        found += [f"{name}, {kind}: the white box hears {100 * own:.0f} % (wanted: 80 %)"] * (own < WANTED)
        found += [f"{name}, {kind}: noise reaches {100 * noise:.0f} % (wanted: 5 % at most)"] * (noise > NOISE)
    return found


def main() -> None:
    """Attack, score, print."""
    options = arguments()
    attacking, scoring = changed(options)
    places = {"whisper": options.whisper, "models": options.models}
    with tempfile.TemporaryDirectory() as folder:
        attacked, scores = Path(folder) / "attacked", Path(folder) / "scores"
        begun = time.perf_counter()
        attack.run(attacking, corpora=options.corpora, **places, attacked=attacked)
        spent = time.perf_counter() - begun
        score.run(scoring, attacked=attacked, **places, scores=scores)
        results = {name: json.loads((scores / f"{name}.json").read_text())["results"] for name in attacking.settings}
    print("| setting | edit | victim | word | exact | CER to target | word in noise | SNR (dB) |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(line for name, each in results.items() for line in rows(name, each)))
    print(f"\n{options.utterances} utterances an edit; the attacks took {spent:.0f} s.")
    failures = [line for name, each in results.items() for line in missed(name, each)]
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()

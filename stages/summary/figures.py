"""Figures as words: rates as per cent, intervals, and names without underscores."""

import unicodedata

MINUS = "\u2212"
THIN = "\u202f"
"""A narrow space at which no line breaks, between a number and its unit."""
UNSCALED = ("_db", "_hz", "_s", "_px")
"""Endings of names whose numbers are no rates."""
DIFFERENCES = ("drop", "gap", "robustness")
"""Last words of names whose numbers are differences of rates, said in points."""
SPELLED = {
    "ap": "AP", "ap50": "AP50", "er": "ER", "top1": "top-1", "wer": "WER", "cer": "CER", "mce": "mCE",
    "linf": "Linf", "l2": "L2", "l1": "L1", "fgsm": "FGSM", "pgd": "PGD", "bim": "BIM", "mim": "MIM", "dim": "DIM",
    "tim": "TIM", "cw": "C&W", "apgd": "APGD", "fab": "FAB", "autoattack": "AutoAttack", "deepfool": "DeepFool",
    "pat": "PAT", "wapat": "WAPAT", "specaugment": "SpecAugment", "wavaugment": "WavAugment",
    "waveform at": "waveform AT", "whisper": "Whisper", "pocketsphinx": "PocketSphinx", "snr": "SNR",
    "smollm2": "SmolLM2", "deepinception": "DeepInception", "cda": "CDA", "inlp": "INLP", "fairberts": "fairBERTs",
    "critique": "trained judge", "f1": "F1", "auc": "AUC", "fped": "FPED", "fned": "FNED", "mlp": "MLP", "mdl": "MDL",
    "knn": "kNN", "nes": "NES", "spsa": "SPSA", "nattack": "NAttack", "jpeg": "JPEG",
    "si ni fgsm": "SI-NI-FGSM", "vmi fgsm": "VMI-FGSM",
    **{f"{attack} {steps}": f"{name}-{steps}" for attack, name in (("pgd", "PGD"), ("cw", "C&W"))
       for steps in (10, 20, 50, 100)},
    **{f"imagenet {name.lower()}": f"ImageNet-{name}"
       for name in ("V2", "A", "R", "200", "Sketch", "Stylized", "Real", "V", "C")}, "objectnet": "ObjectNet",
}  # fmt: skip
"""Words, and whole names, as the field writes them."""
LARGEST_BUDGET = 32
"""In 255ths: a budget that is a whole number of them up to this is said so; a larger one, such as 0.3, as it is."""
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that are not drawn: controls, formats, surrogates, ends of lines and paragraphs."""
LEFT = frozenset("\n\t\u200c\u200d")
"""Characters without ink that stay: ends of lines, tabs, and the joiners that some scripts are spelled with."""


def percent(rate: float) -> float:
    """Turn a rate into per cent, rounded to what a reader needs.

    >>> percent(0.31249)
    31.25
    """
    return round(100 * rate, 2)


def points(rate: float) -> str:
    """Write a difference of rates in points, with its sign.

    >>> points(-0.0041)
    '−0.41'
    """
    return f"{100 * rate:+.2f}".replace("-", MINUS)


def number(value: float, name: str, *, bare: bool = False) -> str:
    """Write a headline's number: a rate as per cent, a difference of rates in points, a measure with its own unit.

    >>> print(number(0.3125, "ap").replace(THIN, " "), number(-0.0125, "ap", bare=True))
    31.2 % −1.2
    >>> print(number(0.08, "mean_drop").replace(THIN, " "), number(12.5, "snr_db").replace(THIN, " "))
    8.0 points 12.5 dB
    >>> print(number(0.08, "equalized_odds_gap of plain").replace(THIN, " "))
    8.0 points
    """
    own = next((ending for ending in UNSCALED if name.endswith(ending)), None)
    text = f"{value if own else 100 * value:.1f}".replace("-", MINUS)
    if bare:
        return text
    if own:
        return f"{text}{THIN}{own[1:].replace('db', 'dB').replace('hz', 'Hz')}"
    difference = name.partition(" of ")[0].split("_")[-1] in DIFFERENCES and "relative" not in name
    return f"{text}{THIN}{'points' if difference else '%'}"


def span(low: float, high: float) -> str:
    """Write an interval of rates in per cent.

    >>> span(0.2981, 0.327)
    '[29.8, 32.7]'
    """
    return f"[{100 * low:.1f}, {100 * high:.1f}]".replace("-", MINUS)


def words(name: str) -> str:
    """Write a field's name for a reader.

    >>> words("mean_drop"), words("top1"), words("pgd_50"), words("area_linf")
    ('mean drop', 'top-1', 'PGD-50', 'area Linf')
    """
    spaced = inert(name).replace("_", " ")
    return SPELLED.get(spaced) or " ".join(SPELLED.get(part, part) for part in spaced.split(" "))


def inert(text: str) -> str:
    """Spell out characters that no one sees: controls, and marks that turn the direction of what surrounds them.

    >>> inert("a\\u202eb\\x00")
    'a⟨U+202E⟩b⟨U+0000⟩'
    """
    lines = text.replace("\r\n", "\n")
    return "".join(letter if _shown(letter) else f"⟨U+{ord(letter):04X}⟩" for letter in lines)


def _shown(letter: str) -> bool:
    return letter in LEFT or unicodedata.category(letter) not in UNSEEN


def budget(eps: float) -> str:
    """Write a radius on [0, 1] as the field does.

    >>> budget(8 / 255), budget(0.3), budget(0.5)
    ('8/255', '0.3', '0.5')
    """
    levels = 255 * eps
    whole = abs(levels - round(levels)) < 1e-2 and round(levels) <= LARGEST_BUDGET
    return f"{round(levels)}/255" if whole else f"{eps:.4g}"


def cell(value: object, decimals: int) -> object:
    """Write a table's number with a fixed count of decimals; leave words and counts as they are.

    >>> cell(-0.5, 2), cell(400, 2), cell("source", 2)
    ('−0.50', 400, 'source')
    """
    return f"{value:.{decimals}f}".replace("-", MINUS) if isinstance(value, float) else value

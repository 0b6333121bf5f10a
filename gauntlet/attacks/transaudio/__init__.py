"""TransAudio: edits of one word that recognisers hear, made on surrogates and meant for others.

edit = EDITS["delete"](text)
start = begin(surrogates[0], utterances, texts=texts, edits=edits, speak=speak, setting=setting)
attacked = transaudio(surrogates, start, setting=setting, generator=generator)
"""

from gauntlet.attacks.transaudio.alignment import word_spans
from gauntlet.attacks.transaudio.attack import Attacked, transaudio
from gauntlet.attacks.transaudio.edits import EDITS, Edit
from gauntlet.attacks.transaudio.score_matching import Batch, residual, tuned
from gauntlet.attacks.transaudio.setting import Release, Setting
from gauntlet.attacks.transaudio.splice import splice
from gauntlet.attacks.transaudio.start import Start, begin

__all__ = [
    "EDITS",
    "Attacked",
    "Batch",
    "Edit",
    "Release",
    "Setting",
    "Start",
    "begin",
    "residual",
    "splice",
    "transaudio",
    "tuned",
    "word_spans",
]

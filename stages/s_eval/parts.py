"""The two models that S-Eval trains: how a record of each becomes a conversation."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gauntlet.attacks.prompts.testing_format import testing_messages
from gauntlet.judges.critique_format import critique_answer, critique_messages
from gauntlet.readers.chat_models import ChatModel
from gauntlet.training.chat.records import Conversation


class Part(NamedTuple):
    """One of the two.

    Attributes:
        conversation: (record, chat model) -> what is taught.
        first_share: Of the answer's first token in the loss; None where all weigh alike.
        tagged: Whether the answer's first token is a verdict.
        grouped: Column whose equal rows stay together where records are kept for watching.
    """

    conversation: Callable[[Any, ChatModel], Conversation]
    first_share: float | None
    tagged: bool
    grouped: str


def _testing(record: Any, chat: ChatModel) -> Conversation:
    asked = testing_messages(
        record.task,
        risk_path=record.risk_path,
        definition=record.definition,
        source_prompt=record.source_prompt,
    )
    return Conversation(chat.written(asked), record.output + chat.end)


def _critique(record: Any, chat: ChatModel) -> Conversation:
    question = chat.written(critique_messages(record.prompt, record.response))
    # Without an explanation the verdict is all that is taught: an end mark behind it would teach to say no more.
    explained = critique_answer(record.label, record.explanation) + chat.end
    return Conversation(question, explained if record.explanation else record.label)


PARTS = {"testing": Part(_testing, None, False, "source_prompt"), "critique": Part(_critique, 0.8, True, "prompt")}
"""By the name of the records' file; the judge's verdict weighs four times its explanation."""

"""What a chat model is to the suite: questions in, answers out, as they finish; one interface for every victim."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict, runtime_checkable

from gauntlet.errors import ArgumentError

Finish = Literal["stop", "length", "filtered", "empty", "error"]


class Message(TypedDict):
    """One turn of a conversation in the OpenAI chat protocol; role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Decode:
    """How an answer is drawn.

    Attributes:
        temperature: 0 or more; 0 takes the likeliest token, and then neither top_p nor the seed matters.
        top_p: Share of the probability that is drawn from, in (0, 1].
        max_tokens: Longest answer, at least 1.
        seed: Of the draw, 0 or more; each question draws anew from it, so that its order among others is nothing.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 5:
            raise ArgumentError(f"temperature must lie in [0, 5]; got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ArgumentError(f"top_p must lie in (0, 1]; got {self.top_p}")
        if self.max_tokens < 1 or self.seed < 0:
            raise ArgumentError(f"max_tokens must be at least 1, seed 0; got {self.max_tokens} and {self.seed}")

    @property
    def key(self) -> str:
        """Short name, the same for two settings that decode alike: `greedy-64`, `t0.7-p1-64-s0`."""
        if self.temperature == 0:
            return f"greedy-{self.max_tokens}"
        return f"t{self.temperature:g}-p{self.top_p:g}-{self.max_tokens}-s{self.seed}"


@dataclass(frozen=True)
class Question:
    """What a model is asked.

    Attributes:
        id: Unique within one call of `ask`.
        messages: The conversation; a last turn of the assistant is gone on with where the server can.
        decode: How to answer.
    """

    id: str
    messages: tuple[Message, ...]
    decode: Decode = Decode()


@dataclass(frozen=True)
class Answer:
    """What came of a question, whatever came.

    Attributes:
        id: Of the question.
        response: The model's text; "" where there is none.
        finish: stop; length (max_tokens reached); filtered (withheld by the provider); empty (blank text); error.
        error: What went wrong in a few words (`context`: longer than the model can read); "" unless finish is error.
        prompt_tokens: As the server counts; 0 where it does not say.
        response_tokens: Likewise.
        first_token: Candidates for the first token of the answer -> natural logarithm of the probability, where asked.
    """

    id: str
    response: str = ""
    finish: Finish = "stop"
    error: str = ""
    prompt_tokens: int = 0
    response_tokens: int = 0
    first_token: dict[str, float] | None = None


@runtime_checkable
class Chat(Protocol):
    """A chat model, wherever it runs."""

    name: str

    def ask(self, questions: Iterable[Question], *, logprobs: int = 0) -> Iterator[Answer]:
        """Yield exactly one answer for each question, as they finish, in any order.

        Args:
            questions: What to ask; unique by id within one call.
            logprobs: How many candidates for the first token to report, 0 to 20.

        Raises:
            UnavailableError: The model is away for good; all that was yielded before stays valid.
        """
        ...


def asked(system_prompt: str, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the conversation under a system prompt; a system turn of its own follows the prompt in the same turn."""
    if not system_prompt:
        return messages
    own = messages[:1] if messages and messages[0]["role"] == "system" else ()
    content = "\n\n".join([system_prompt, *(turn["content"] for turn in own)])
    return (Message(role="system", content=content), *messages[len(own) :])

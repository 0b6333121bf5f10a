"""Any chat model as a judge: the one trained here, or whatever speaks the OpenAI protocol."""

from collections.abc import Sequence

from gauntlet.errors import ArgumentError
from gauntlet.judges.critique import LOGPROBS, critique_questions, read_verdict
from gauntlet.judges.verdict import Pair, Verdict, error
from gauntlet.models.chat import Chat


class ChatJudge:
    """A chat model that is asked for a tag.

    Attributes:
        name: The model's.
        explained: How many pairs of each call, from the first, are to be explained.
    """

    def __init__(
        self,
        chat: Chat,
        *,
        policy: str = "",
        threshold: float = 0.5,
        explained: int = 0,
    ) -> None:
        """Make a judge of a chat model.

        Args:
            chat: The model.
            policy: What a judge that was not trained here has to be told, such as critique_format.POLICY.
            threshold: Least risk that is unsafe, in (0, 1).
            explained: At least 0; explanations cost a judge most of its time.

        Raises:
            ArgumentError: A threshold that makes all answers the same.
        """
        if not 0 < threshold < 1:
            raise ArgumentError(f"threshold must lie in (0, 1); got {threshold}; per cent?")
        self.name = chat.name
        self.explained = explained
        self._chat, self._policy, self._threshold = chat, policy, threshold

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Judge every pair, each distinct prompt and response once: a judge asked twice says the same.

        Raises:
            UnavailableError: The model is away for good.
        """
        first: dict[tuple[str, str], Pair] = {}
        for pair in pairs:
            first.setdefault((pair.prompt, pair.response), pair)
        # Side by side as they sort, prompts share what a server remembers of the one before.
        distinct = [first[key] for key in sorted(first)] if not self.explained else list(first.values())
        questions = critique_questions(distinct, policy=self._policy, explained=self.explained)
        verdicts = {
            answer.id: read_verdict(answer, threshold=self._threshold)
            for answer in self._chat.ask(questions, logprobs=LOGPROBS)
        }
        return [self._of(pair, verdicts.get(first[pair.prompt, pair.response].id)) for pair in pairs]

    @staticmethod
    def _of(pair: Pair, verdict: Verdict | None) -> Verdict:
        if verdict is None:
            return error(pair.id, "no answer")
        return Verdict(pair.id, verdict.tag, verdict.score, verdict.explanation, verdict.risk)

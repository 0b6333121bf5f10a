"""A reply of the OpenAI chat protocol as an answer, whatever the server made of it."""

from openai.types.chat import ChatCompletion

from gauntlet.models.chat import Answer


def parsed(key: str, reply: object) -> Answer:
    """Read a reply of the protocol, whatever it is, as the answer to the question of that id."""
    if not isinstance(reply, ChatCompletion):
        return Answer(key, finish="error", error="not JSON")
    choice = reply.choices[0] if isinstance(reply.choices, list) and reply.choices else None
    message = getattr(choice, "message", None)
    if message is None:
        return Answer(key, finish="error", error="no choice")
    text = getattr(message, "content", None) or getattr(message, "refusal", None) or ""
    if not isinstance(text, str):
        return Answer(key, finish="error", error="no text")
    reason = getattr(choice, "finish_reason", None)
    if reason == "content_filter":
        finish = "filtered"
    else:
        finish = "empty" if not text.strip() else "length" if reason == "length" else "stop"
    usage = reply.usage
    return Answer(
        key,
        response=text,
        finish=finish,
        prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
        response_tokens=getattr(usage, "completion_tokens", 0) or 0,
        first_token=_first_token(choice),
    )


def _first_token(choice: object) -> dict[str, float] | None:
    """Return the candidates for the first token; where two are written alike the likelier counts."""
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    if not content:
        return None
    found: dict[str, float] = {}
    for each in content[0].top_logprobs or ():
        found[each.token] = max(each.logprob, found.get(each.token, each.logprob))
    return found

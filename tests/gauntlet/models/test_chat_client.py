"""The client against a stub that goes wrong in every way: each question gets one answer, or the endpoint is away."""

import threading
import time

import pytest

from gauntlet.errors import ArgumentError, UnavailableError
from gauntlet.models.chat import Chat, Decode, Message, Question, asked
from gauntlet.models.chat_client import ChatClient, Endpoint, key_from
from tests.fixtures.chat_stub import HTML, Reply, failed, said, stub

QUICK = {"concurrency": 4, "timeout_s": 5.0, "retries": 3, "min_backoff_s": 0.01}


def question(text: str, **decode: float) -> Question:
    return Question(text, (Message(role="user", content=text),), Decode(**decode))


def questions(count: int) -> list[Question]:
    return [question(f"How do I bake bread number {place}?") for place in range(count)]


def one(reply: Reply, **settings: object):
    with stub(lambda request, before: reply) as place:
        return list(ChatClient(Endpoint(place.url, **QUICK | settings)).ask([question("Bread?")]))


def test_every_question_gets_its_own_answer_with_no_more_in_flight_than_allowed():
    with stub(lambda request, before: said(request["messages"][-1]["content"].upper(), wait_s=0.02)) as place:
        chat = ChatClient(Endpoint(place.url, **QUICK))
        answers = {answer.id: answer for answer in chat.ask(questions(20))}
    assert {key: answer.response for key, answer in answers.items()} == {q.id: q.id.upper() for q in questions(20)}
    assert place.most_at_once == 4
    assert isinstance(chat, Chat)
    assert {(a.finish, a.prompt_tokens, a.response_tokens) for a in answers.values()} == {("stop", 7, 3)}


def test_mirrors_share_the_work():
    with stub(lambda *_: said("a", wait_s=0.01)) as one_, stub(lambda *_: said("b", wait_s=0.01)) as other:
        chat = ChatClient(Endpoint(one_.url, mirrors=(other.url,), **QUICK))
        assert len(list(chat.ask(questions(20)))) == 20
        assert len(one_.asked) + len(other.asked) == 20
        assert one_.asked
        assert other.asked


def test_decode_system_prompt_and_key_are_sent(monkeypatch):
    monkeypatch.setenv("STUB_KEY", "sesame")
    with stub(lambda *_: said("Yes.", first={"Yes": -0.1, "No": -2.5})) as place:
        endpoint = Endpoint(place.url, model="m", key=key_from("STUB_KEY"), **QUICK)
        chat = ChatClient(endpoint, system_prompt="Be kind.")
        (answer,) = chat.ask([question("Bread?", temperature=0.7, top_p=0.9, max_tokens=5, seed=3)], logprobs=2)
    sent = place.requests[0]
    assert [turn["content"] for turn in sent["messages"]] == ["Be kind.", "Bread?"]
    assert [sent[name] for name in ("temperature", "top_p", "max_tokens", "seed", "top_logprobs", "model")] == [
        0.7,
        0.9,
        5,
        3,
        2,
        "m",
    ]
    assert answer.first_token == {"Yes": -0.1, "No": -2.5}
    assert place.keys == {"Bearer sesame"}
    assert "sesame" not in repr(endpoint)


@pytest.mark.parametrize(
    ("reply", "finish", "error"),
    [
        (HTML, "error", "not JSON"),
        (Reply(body=b"{torn"), "error", "not JSON"),
        (Reply(body=b'{"choices": []}'), "error", "no choice"),
        (Reply(body=b"[1]"), "error", "not JSON"),
        (said(""), "empty", ""),
        (said(None), "empty", ""),
        (said(" \n"), "empty", ""),
        (said("Bre", finish="length"), "length", ""),
        (said("", finish="content_filter"), "filtered", ""),
        (failed(400, code="content_filter"), "filtered", ""),
        (failed(400, code="context_length_exceeded"), "error", "context"),
        (failed(400, code="exceed_context_size_error"), "error", "context"),
        (failed(422, code="odd"), "error", "HTTP 422"),
    ],
)
def test_a_bad_reply_is_an_answer_and_asked_once(reply, finish, error):
    (answer,) = one(reply)
    assert answer.finish == finish
    assert answer.error == error


@pytest.mark.parametrize("bad", [failed(429), failed(503), failed(408), Reply(0)])
def test_trouble_that_passes_is_tried_again(bad):
    with stub(lambda request, before: bad if before < 2 else said("Knead.")) as place:
        answers = list(ChatClient(Endpoint(place.url, **QUICK)).ask(questions(5)))
    assert [answer.response for answer in answers] == ["Knead."] * 5
    assert len(place.asked) == 15


def test_retry_after_is_kept_to():
    wait = failed(429, headers=(("Retry-After", "0.6"),))
    with stub(lambda request, before: said("Knead.") if before else wait) as place:
        begin = time.monotonic()
        assert [a.finish for a in ChatClient(Endpoint(place.url, **QUICK)).ask(questions(1))] == ["stop"]
    assert time.monotonic() - begin > 0.59


def test_too_long_a_retry_after_is_away():
    with pytest.raises(UnavailableError, match="asks for 4000 s"):
        one(failed(429, headers=(("Retry-After", "4000"),)))


def test_a_slow_question_of_an_endpoint_that_is_up_is_its_own_fault():
    with stub(
        lambda request, before: said("x", wait_s=2.0 if "slow" in request["messages"][0]["content"] else 0)
    ) as place:
        endpoint = Endpoint(place.url, **QUICK | {"timeout_s": 0.3, "retries": 1})
        found = {answer.id: answer for answer in ChatClient(endpoint).ask([*questions(3), question("slow")])}
    assert found["slow"].error == "timeout"
    assert len(found) == 4
    assert place.asked.count("slow") == 2


@pytest.mark.parametrize("bad", [failed(500), Reply(0)])
def test_an_endpoint_that_dies_in_the_middle_keeps_what_it_answered(bad):
    gone = threading.Event()

    def behave(request: dict, before: int) -> Reply:
        return bad if gone.is_set() else said("Knead.")

    with stub(behave) as place:
        answers = ChatClient(Endpoint(place.url, **QUICK)).ask(questions(400))
        kept = [next(answers) for _ in range(5)]
        place.up = False
        gone.set()
        with pytest.raises(UnavailableError, match="tries"):
            kept.extend(answers)
    assert len(kept) == sum(place.answered.values())


def test_429_for_ever_is_away():
    with pytest.raises(UnavailableError, match="HTTP 429 after 4 tries"):
        one(failed(429))


def test_down_is_away():
    with pytest.raises(UnavailableError, match="connection after 4 tries"):
        list(ChatClient(Endpoint("http://127.0.0.1:9/v1", **QUICK)).ask(questions(1)))


def test_wrong_key_and_unknown_model_end_the_run():
    with pytest.raises(UnavailableError, match="key"):
        one(failed(401))
    with pytest.raises(ArgumentError, match="misspelt"):
        one(failed(404))


def test_leaving_early_asks_no_more():
    with stub(lambda *_: said("x", wait_s=0.02)) as place:
        answers = ChatClient(Endpoint(place.url, **QUICK)).ask(questions(100))
        next(answers)
        answers.close()
        seen = len(place.asked)
        time.sleep(0.1)
        assert len(place.asked) == seen < 20


@pytest.mark.parametrize(
    "settings", [{"concurrency": 0}, {"retries": -1}, {"timeout_s": 0}, {"min_backoff_s": -1}, {"url": "localhost:1"}]
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ArgumentError):
        Endpoint(**{"url": "http://x/v1"} | settings)


def test_a_key_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.delenv("STUB_KEY", raising=False)
    with pytest.raises(ArgumentError, match="STUB_KEY"):
        key_from("STUB_KEY")
    assert key_from("") == ""


def test_decodes_have_keys_and_limits():
    assert Decode(0, 0.5, 64, 3).key == Decode(0, 1, 64, 9).key == "greedy-64"
    assert Decode(0.7, 1, 64, 0).key == "t0.7-p1-64-s0"
    for bad in ({"temperature": -1}, {"top_p": 0}, {"max_tokens": 0}, {"seed": -1}):
        with pytest.raises(ArgumentError):
            Decode(**bad)


def test_a_system_turn_follows_the_system_prompt():
    own = (Message(role="system", content="B"), Message(role="user", content="C"))
    assert asked("", own) == own
    assert [turn["content"] for turn in asked("A", own)] == ["A\n\nB", "C"]
    assert [turn["content"] for turn in asked("A", own[1:])] == ["A", "C"]

"""Any endpoint of the OpenAI chat protocol as a chat model: requests in flight, time-outs, retries, no answer lost."""

import asyncio
import contextlib
import os
import queue
import random
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import openai

from gauntlet.errors import ArgumentError, UnavailableError
from gauntlet.models.chat import Answer, Question, asked
from gauntlet.models.chat_reply import parsed

LONGEST_RETRY_AFTER_S = 300.0
"""An endpoint that asks to wait longer than this counts as away."""

PROBE_S = 10.0
RETRIED = {408, 409, 429}
CONTEXT = ("context_length_exceeded", "exceed_context_size", "maximum context length", "exceeds the available context")
"""How OpenAI, llama.cpp and vLLM say that a prompt is too long."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is and how it may be pressed.

    Attributes:
        url: Up to and with the version, as `https://host/v1`.
        model: As the endpoint calls it.
        key: Sent as the bearer token; never shown. `key_from` reads one from the environment.
        concurrency: Requests in flight at once, at least 1.
        timeout_s: Longest wait for one reply.
        retries: Further attempts after a lost connection, a time-out, 429, 408, 409 or 5xx.
        min_backoff_s: Wait before the first of them; it doubles each time, give or take a quarter.
        max_backoff_s: Where the doubling ends. A Retry-After that is longer is kept to.
        mirrors: Further urls of the same model; the requests in flight are spread over all.
    """

    url: str
    model: str = "default"
    key: str = field(default="", repr=False)
    concurrency: int = 8
    timeout_s: float = 120.0
    retries: int = 8
    min_backoff_s: float = 0.5
    max_backoff_s: float = 30.0
    mirrors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ArgumentError(f"an endpoint's url must begin with http:// or https://; got {self.url!r}")
        if self.concurrency < 1 or self.retries < 0 or self.timeout_s <= 0 or self.min_backoff_s < 0:
            raise ArgumentError(
                "concurrency must be at least 1, retries 0, timeout_s above 0 and min_backoff_s 0 or more; "
                f"got {self.concurrency}, {self.retries}, {self.timeout_s:g}, {self.min_backoff_s:g}"
            )


def key_from(variable: str) -> str:
    """Read a key from the environment; "" for a variable named "".

    Raises:
        ArgumentError: The variable is not set.
    """
    if variable and not os.environ.get(variable):
        raise ArgumentError(f"the environment must hold the endpoint's key as {variable}; it is not set")
    return os.environ.get(variable, "") if variable else ""


class ChatClient:
    """A chat model behind an endpoint; the official client inside, with one policy for what goes wrong.

    Tried again: a lost connection, a time-out, 408, 409, 429, 5xx. When the tries are used up the endpoint is probed:
    if it is up, the question alone is at fault, and its answer says `timeout`, `connection` or `HTTP 503`; else, and
    after 429 always, the endpoint is away. Never tried again: a reply that is not JSON, one without a choice, a
    prompt that is too long (`context`), another 4xx: counted as answers of finish `error`; a filtered or blank reply.

    Args:
        endpoint: Where, and how many at once.
        system_prompt: Put before every conversation.
        name: What the model is called here; the endpoint's own name for it where none is given.
    """

    def __init__(self, endpoint: Endpoint, *, system_prompt: str = "", name: str = "") -> None:
        self.endpoint = endpoint
        self.system_prompt = system_prompt
        self.name = name or endpoint.model

    def request(self, question: Question, *, logprobs: int) -> dict:
        """Return what is sent for a question, as arguments of the official client."""
        decode = question.decode
        content = {
            "model": self.endpoint.model,
            "messages": list(asked(self.system_prompt, question.messages)),
            "temperature": decode.temperature,
            "top_p": decode.top_p,
            "max_tokens": decode.max_tokens,
            "seed": decode.seed,
        }
        return content | ({"logprobs": True, "top_logprobs": logprobs} if logprobs else {})

    def ask(self, questions: Iterable[Question], *, logprobs: int = 0) -> Iterator[Answer]:
        """Yield one answer for each question as they finish.

        Raises:
            UnavailableError: The endpoint is down, refuses the key or keeps on saying 429. What was in flight has been
                waited for and yielded before.
            ArgumentError: The endpoint knows no such model or path.
        """
        finished: queue.SimpleQueue[Answer | BaseException | None] = queue.SimpleQueue()
        round_ = _Round(self, iter(questions), finished=finished, logprobs=logprobs)
        thread = threading.Thread(target=round_.run, daemon=True)
        thread.start()
        try:
            while (item := finished.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            round_.cancel()
            thread.join()


class _Round:
    """One call of `ask`: an event loop in a thread of its own, with as many workers as requests may be in flight."""

    def __init__(
        self, chat: ChatClient, questions: Iterator[Question], *, finished: queue.SimpleQueue, logprobs: int
    ) -> None:
        self._chat, self._questions, self._finished, self._logprobs = chat, questions, finished, logprobs
        self._loop = asyncio.new_event_loop()
        self._over = False
        self._task: asyncio.Task | None = None

    def run(self) -> None:
        """Answer all, then say so with None, or with the error that ended it."""
        outcome: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._all())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            outcome = error
        self._finished.put(outcome)

    def cancel(self) -> None:
        """End early; nothing happens where all is done."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: all is done
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        self._over = True
        if self._task:
            self._task.cancel()

    async def _all(self) -> None:
        self._task = asyncio.current_task()
        if self._over:
            return
        place = self._chat.endpoint
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(_client(place, url)) for url in (place.url, *place.mirrors)]
            work = [self._work(clients[worker % len(clients)]) for worker in range(place.concurrency)]
            outcomes = await asyncio.gather(*work)
        for error in outcomes:
            if error:
                raise error

    async def _work(self, client: openai.AsyncOpenAI) -> Exception | None:
        """Answer questions until none is left or one worker has met the end of the endpoint."""
        try:
            for question in self._questions:
                self._finished.put(await self._answer(client, question))
                if self._over:
                    break
        except Exception as error:
            self._over = True
            return error
        return None

    async def _answer(self, client: openai.AsyncOpenAI, question: Question) -> Answer:
        place, jitter = self._chat.endpoint, random.Random(question.id)
        request = self._chat.request(question, logprobs=self._logprobs)
        for attempt in range(place.retries + 1):
            wait_s = min(place.max_backoff_s, place.min_backoff_s * 2**attempt) * jitter.uniform(0.75, 1.25)
            try:
                return parsed(question.id, await client.chat.completions.create(**request))
            except openai.APITimeoutError:
                trouble = "timeout"
            except openai.APIConnectionError:
                trouble = "connection"
            except openai.APIStatusError as error:
                if error.status_code not in RETRIED and error.status_code < 500:
                    return _refused(question.id, error, place)
                trouble = f"HTTP {error.status_code}"
                wait_s = max(wait_s, _retry_after_s(error.response.headers, place))
            except (openai.APIResponseValidationError, ValueError):
                return Answer(question.id, finish="error", error="not JSON")
            if self._over:
                break
            if attempt < place.retries:
                await asyncio.sleep(wait_s)
        if trouble == "HTTP 429" or not await _up(client):
            raise UnavailableError(
                f"{place.url} must answer; {trouble} after {attempt + 1} tries; is it up, and is its rate kept to? "
                "a further run goes on where this one ended"
            )
        return Answer(question.id, finish="error", error=trouble)


def _client(place: Endpoint, url: str) -> openai.AsyncOpenAI:
    # A proxy from the environment cannot reach this machine's own loopback.
    direct = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    web = openai.DefaultAsyncHttpxClient(trust_env=not direct, timeout=place.timeout_s)
    key = place.key or "none"
    return openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=place.timeout_s, http_client=web)


def _refused(key: str, error: openai.APIStatusError, place: Endpoint) -> Answer:
    """Read a 4xx: the question's fault is its answer, the caller's own is raised."""
    words = error.response.text.lower()
    if error.status_code in (401, 403):
        raise UnavailableError(
            f"{place.url} must let us in; HTTP {error.status_code}; is the right key in the environment?"
        ) from None
    if error.status_code == 404:
        raise ArgumentError(
            f"{place.url} must know the model {place.model!r}; HTTP 404; misspelt, or no /v1?"
        ) from None
    if any(sign in words for sign in CONTEXT):
        return Answer(key, finish="error", error="context")
    if "content_filter" in words:
        return Answer(key, finish="filtered")
    return Answer(key, finish="error", error=f"HTTP {error.status_code}")


def _retry_after_s(headers: httpx.Headers, place: Endpoint) -> float:
    """Read how long the endpoint asks to wait: seconds or a date; 0 where it does not say."""
    text = headers.get("retry-after", "").strip()
    try:
        wait_s = float(text)
    except ValueError:
        try:
            wait_s = parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return 0.0
    if wait_s > LONGEST_RETRY_AFTER_S:
        raise UnavailableError(
            f"{place.url} must answer within {LONGEST_RETRY_AFTER_S:g} s; it asks for {wait_s:.0f} s; quota used up?"
        )
    return max(0.0, wait_s)


async def _up(client: openai.AsyncOpenAI) -> bool:
    """Ask for the list of models: any reply but 429 and 5xx shows an endpoint that works."""
    try:
        await client.get("/models", cast_to=httpx.Response, options={"timeout": PROBE_S})
    except openai.APIStatusError as error:
        return error.status_code < 500 and error.status_code != 429
    except openai.APIError:
        return False
    return True

"""A chat model behind the OpenAI protocol, as params.yaml names it: a victim or a judge."""

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from gauntlet.models.chat_client import ChatClient, Endpoint, key_from
from stages import Params as StageParams


class Served(StageParams):
    """Where it is, and how patiently it is asked.

    Attributes:
        url: Up to and with the version.
        model: As the endpoint calls it.
        key: Environment variable that holds the key; "" for none.
        concurrency: Requests in flight.
        timeout_s: Longest wait for one reply.
        retries: Further attempts after 429, 5xx, a time-out or a lost connection.
        min_backoff_s: Wait before the first of them; it doubles.
    """

    url: str
    model: str
    key: str = ""
    concurrency: PositiveInt = 8
    timeout_s: PositiveFloat = 120.0
    retries: NonNegativeInt = 8
    min_backoff_s: PositiveFloat = 0.5

    def client(self, system_prompt: str = "") -> ChatClient:
        """Return what asks it; the key is read from the environment now."""
        place = {name: getattr(self, name) for name in Served.model_fields if name != "key"}
        return ChatClient(Endpoint(**place, key=key_from(self.key)), system_prompt=system_prompt)

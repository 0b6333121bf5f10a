"""Messages: an id as bits that survive errors, and a decision whose rate of false positives is known."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from string import hexdigits
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gauntlet.errors import ArgumentError

if TYPE_CHECKING:
    import bchlib

ORDERS = range(5, 11)
"""Orders m of the fields that are tried; words have at most 2^m - 1 bits."""


@dataclass(frozen=True)
class Decision:
    """What a word of bits says, when nobody knows which id to expect.

    Attributes:
        found: Whether some id's word lies within the corrections allowed.
        id: That id; None where nothing was found.
        matches: Bits that agree with that word; 0 where nothing was found.
        corrected: Bits that disagree with it.
        false_positive_rate: Share of all words of so many bits that would be called found.
    """

    found: bool
    id: int | None
    matches: int
    corrected: int
    false_positive_rate: float


@dataclass(frozen=True)
class Check:
    """Whether a word of bits carries an id that is claimed.

    Attributes:
        found: Whether at least `threshold` bits agree.
        matches: Bits that agree with the id's word.
        threshold: The fewest that count.
        false_positive_rate: Share of all words of so many bits in which as many agree.
    """

    found: bool
    matches: int
    threshold: int
    false_positive_rate: float


def match_rate(matches: int, *, bits: int) -> float:
    """Return the share of all words of `bits` bits that agree with a given one in at least `matches`.

    Source: Zhu et al. (2023), the tail of the binomial law at 1/2.

    >>> f"{match_rate(25, bits=30):.2g}"
    '0.00016'
    """
    return sum(math.comb(bits, agreeing) for agreeing in range(max(matches, 0), bits + 1)) / 2**bits


def threshold(*, bits: int, false_positive_rate: float, trials: int = 1) -> int:
    """Return the fewest matching bits that keep false positives to a rate.

    Args:
        bits: Of a message, at least 1.
        false_positive_rate: The bound, in (0, 1).
        trials: Ids that a picture is compared with; their rates add up (union bound).

    Raises:
        ArgumentError: Even a full match is more frequent than that.

    >>> threshold(bits=30, false_positive_rate=1e-5)
    27
    """
    _check_rate(false_positive_rate)
    for matches in range(bits + 1):
        if trials * match_rate(matches, bits=bits) <= false_positive_rate:
            return matches
    raise ArgumentError(
        f"false_positive_rate must be at least trials / 2^bits = {trials / 2**bits:.2g}; got {false_positive_rate:g}; "
        "longer messages?"
    )


def _check_rate(rate: float) -> None:
    if not 0 < rate < 1:
        raise ArgumentError(f"false_positive_rate must lie in (0, 1) (a share of pictures); got {rate:g}")


@dataclass(frozen=True)
class Code:
    """A shortened BCH code, added to a fixed pattern of bits so that no id is a word of equal bits.

    Attributes:
        bits: Length of a message.
        payload: Bits of the id; ids lie in [0, 2^payload). The remaining bits correct errors.
        false_positive_rate: The bound that `decode` and `check` keep on words of even chance, in (0, 1).
        key: Seed of the pattern; who does not know it reads no id.

    Raises:
        ArgumentError: No BCH code has these lengths, or the bound cannot be kept.

    Source: Bose, Ray-Chaudhuri, Hocquenghem (1960); the message of Zhu et al. (2023) is an id with such a code.

    >>> code = Code(bits=30, payload=10)
    >>> code.decode(2 * code.encode(77) - 1).id
    77
    """

    bits: int
    payload: int
    false_positive_rate: float = 1e-3
    key: int = 0

    def __post_init__(self) -> None:
        _check_rate(self.false_positive_rate)
        if (self.bits, self.payload) not in _designs(self.bits):
            legal = ", ".join(str(payload) for _, payload in sorted(_designs(self.bits)))
            raise ArgumentError(
                f"payload must be one of {legal or 'none'} for {self.bits} bits (BCH's lengths); got {self.payload}; "
                "the rest corrects errors"
            )
        if self._blind_rate(0) > self.false_positive_rate:
            raise ArgumentError(
                f"false_positive_rate must be at least {self._blind_rate(0):.2g} for {self.payload} of {self.bits} "
                f"bits; got {self.false_positive_rate:g}; a smaller payload?"
            )

    @property
    def corrects(self) -> int:
        """Errors that the code can correct."""
        return _bch(self.bits, self.payload).t

    @property
    def corrections(self) -> int:
        """Errors that `decode` corrects: as many as the code can and the bound on false positives lets."""
        return max(n for n in range(self.corrects + 1) if self._blind_rate(n) <= self.false_positive_rate)

    @property
    def blind_rate(self) -> float:
        """Share of all words that `decode` calls found: the balls of `corrections` errors do not overlap."""
        return self._blind_rate(self.corrections)

    def encode(self, id: int) -> Tensor:
        """Return the message of an id: L zeros and ones, float32.

        Raises:
            ArgumentError: The id does not fit into the payload.
        """
        if not 0 <= id < 2**self.payload:
            raise ArgumentError(f"id must lie in [0, {2**self.payload}) ({self.payload} bits); got {id}")
        data = id.to_bytes(self._bytes, "big")
        word = _bits_of(data)[-self.payload :] + _bits_of(bytes(self._bch.encode(data)))[: self._checks]
        return torch.tensor(np.array(word) ^ self._pattern, dtype=torch.float32)

    def messages(self, ids: Iterable[int]) -> Tensor:
        """Return the messages of ids, B x L."""
        return torch.stack([self.encode(int(each)) for each in ids])

    def parse(self, text: str) -> int:
        """Read an id that is written in hexadecimal digits.

        Raises:
            ArgumentError: It has the wrong length, other signs, or does not fit.
        """
        digits = -(-self.payload // 4)
        plain = len(text) == digits and all(sign in hexdigits for sign in text)
        value = int(text, 16) if plain else -1
        if not 0 <= value < 2**self.payload:
            raise ArgumentError(
                f"a message must be {digits} hexadecimal digits below {2**self.payload:x} ({self.payload} bits); "
                f"got {text[:40]!r}; wrong length?"
            )
        return value

    def decode(self, logits: Tensor) -> Decision:
        """Read a message without knowing the id.

        Args:
            logits: L; above 0 is a one.

        Raises:
            ArgumentError: Of another length.
        """
        word = self._hard(logits)
        found = self._nearest(word)
        if found is None:
            return Decision(False, None, 0, 0, self.blind_rate)
        wrong = self.bits - self._agreeing(word, found)
        if wrong > self.corrections:
            return Decision(False, None, 0, 0, self.blind_rate)
        return Decision(True, found, self.bits - wrong, wrong, self.blind_rate)

    def check(self, logits: Tensor, id: int) -> Check:
        """Say whether logits (L) carry a given id: by matching bits, errors beyond the code's reach allowed."""
        matches = self._agreeing(self._hard(logits), id)
        least = threshold(bits=self.bits, false_positive_rate=self.false_positive_rate)
        return Check(matches >= least, matches, least, match_rate(least, bits=self.bits))

    @property
    def _bch(self) -> "bchlib.BCH":
        return _bch(self.bits, self.payload)

    @property
    def _bytes(self) -> int:
        return -(-self.payload // 8)

    @property
    def _checks(self) -> int:
        return self.bits - self.payload

    @property
    def _pattern(self) -> np.ndarray:
        return np.random.default_rng(self.key).integers(0, 2, self.bits)

    def _blind_rate(self, errors: int) -> float:
        return sum(math.comb(self.bits, wrong) for wrong in range(errors + 1)) / 2**self._checks

    def _hard(self, logits: Tensor) -> np.ndarray:
        if logits.shape != (self.bits,):
            raise ArgumentError(f"logits must have {self.bits} bits; got shape {tuple(logits.shape)}; one picture's?")
        return (logits.detach().cpu().numpy() > 0).astype(np.int64)

    def _agreeing(self, word: np.ndarray, id: int) -> int:
        return int((self.encode(id).numpy() == word).sum())

    def _nearest(self, word: np.ndarray) -> int | None:
        """Return the id whose word lies within the code's reach; BCH corrects the shortened bits only by mistake."""
        plain = word ^ self._pattern
        padding = [0] * (8 * self._bytes - self.payload)
        data, checks = _packed([*padding, *plain[: self.payload]]), _packed(plain[self.payload :])
        bch = self._bch
        if bch.decode(data=data, recv_ecc=checks) < 0:
            return None
        bch.correct(data, checks)
        value = int.from_bytes(data, "big")
        return value if value < 2**self.payload else None


def _bits_of(data: bytes) -> list[int]:
    return np.unpackbits(np.frombuffer(data, np.uint8)).tolist()


def _packed(bits: Iterable[int]) -> bytearray:
    return bytearray(np.packbits(np.array(list(bits), np.uint8)).tobytes())


@cache
def _designs(bits: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Return order and reach of the BCH code for each payload, the one that corrects most."""
    import bchlib

    found: dict[tuple[int, int], tuple[int, int]] = {}
    for order in ORDERS:
        for reach in range(1, 2 ** (order - 1)):
            try:
                bch = bchlib.BCH(reach, m=order)
            except (ValueError, RuntimeError, MemoryError):
                break
            payload = bits - bch.ecc_bits
            if payload < 1:
                break
            best = found.get((bits, payload), (0, 0))
            if 8 * -(-payload // 8) + bch.ecc_bits <= bch.n and bch.t > best[1]:
                found[bits, payload] = (order, bch.t)
    return found


@cache
def _bch(bits: int, payload: int) -> "bchlib.BCH":
    import bchlib

    order, reach = _designs(bits)[bits, payload]
    return bchlib.BCH(reach, m=order)

"""Read the tables that Python's pickle wrote, CIFAR's among them, without running what a pickle may hold.

A pickle is a program. The few steps that make dicts, lists, numbers, strings and uint8 arrays are carried out here;
any other step, and any name but numpy's own array and dtype, is refused before anything happens.
"""

import pickletools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError

RECONSTRUCT, NDARRAY, DTYPE, ENCODE = "reconstruct", "ndarray", "dtype", "encode"
NAMES = {
    "numpy.core.multiarray _reconstruct": RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": RECONSTRUCT,
    "numpy ndarray": NDARRAY,
    "numpy dtype": DTYPE,
    "_codecs encode": ENCODE,
}


class Refused(ValueError):
    """A step that a table does not need."""


class _Array:
    """An array that is being built."""

    def __init__(self) -> None:
        self.values: np.ndarray | None = None

    def build(self, state: tuple) -> None:
        _, shape, kind, by_columns, raw = state
        if kind != "u1":
            raise Refused(f"an array of {kind}, not of uint8")
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        self.values = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if by_columns else "C")


class _Machine:
    """The stack, the marks on it and the memo of one pickle."""

    def __init__(self) -> None:
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def since_mark(self) -> list:
        place = self.marks.pop()
        taken, self.stack[place:] = self.stack[place:], []
        return taken

    def set_items(self, flat: list) -> None:
        self.stack[-1].update(zip(flat[::2], flat[1::2], strict=True))

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function is RECONSTRUCT:
            self.stack.append(_Array())
        elif function is DTYPE:
            self.stack.append(str(arguments[0]))
        elif function is ENCODE:
            self.stack.append(arguments[0].encode("latin-1"))
        else:
            raise Refused(f"a call of {function}")

    def build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], _Array):
            self.stack[-1].build(state)
        elif not isinstance(self.stack[-1], str):  # a dtype's byte order says nothing about uint8
            raise Refused("a state for something that is no array")

    def tuple_of(self, size: int) -> None:
        self.stack[len(self.stack) - size :] = [tuple(self.stack[len(self.stack) - size :])]

    def name(self, text: str) -> None:
        if text not in NAMES:
            raise Refused(f"the name {text.replace(' ', '.')}")
        self.stack.append(NAMES[text])


VALUES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
STEPS: dict[str, Callable[[_Machine, object], object]] = {
    **dict.fromkeys(VALUES, lambda m, value: m.stack.append(value)),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda m, _: None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, place: m.memo.update({place: m.stack[-1]})),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, place: m.stack.append(m.memo[place])),
    "MEMOIZE": lambda m, _: m.memo.update({len(m.memo): m.stack[-1]}),
    "NONE": lambda m, _: m.stack.append(None),
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "DICT": lambda m, _: (flat := m.since_mark(), m.stack.append({}), m.set_items(flat)),
    "LIST": lambda m, _: m.stack.append(m.since_mark()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "SETITEM": lambda m, _: (value := m.stack.pop(), key := m.stack.pop(), m.set_items([key, value])),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "APPEND": lambda m, _: (value := m.stack.pop(), m.stack[-1].append(value)),
    "APPENDS": lambda m, _: (values := m.since_mark(), m.stack[-1].extend(values)),
    "GLOBAL": lambda m, text: m.name(text),
    "STACK_GLOBAL": lambda m, _: (name := m.stack.pop(), m.name(f"{m.stack.pop()} {name}")),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
}


def read_pickled_table(path: Path) -> dict[str, object]:
    """Read a pickled dict of numbers, strings, lists and uint8 arrays, of protocol 0 to 4.

    Args:
        path: As CIFAR's `data_batch_1` or `meta`, written by Python 2 or 3.

    Returns:
        Keys as text; arrays as numpy's.

    Raises:
        DataError: The file is missing or truncated, is no pickle of a dict, or holds anything else.
    """
    try:
        machine = _Machine()
        for step, argument, _ in pickletools.genops(path.read_bytes()):
            if step.name not in STEPS:
                raise Refused(f"the step {step.name}")
            STEPS[step.name](machine, argument)
        (table,) = machine.stack
        return {_text(key): value.values if isinstance(value, _Array) else value for key, value in table.items()}
    except FileNotFoundError:
        raise DataError(f"{path} must exist; wrong folder, or a partial copy?") from None
    except Refused as error:
        raise DataError(f"{path} must be a pickle of plain values; it holds {error}; a pickle with code?") from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(f"{path} must be a whole pickle of a table; {error}; truncated, or another file?") from None


def _text(key: object) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)

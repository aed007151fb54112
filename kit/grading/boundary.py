"""What crosses between the judge and a submission: raw arrays of a known size.

    request (judge to child)   length u32 | JSON header | raw bytes of the arguments
    reply   (child to judge)   nonce 8 bytes | outcome 1 byte | body

The body of an answer has exactly the bytes that the case promised; every other body
is `TEXT_BYTES` of text. So the judge knows the size of a reply before it reads one,
and builds nothing from it but numbers and text. The nonce is drawn for each request:
bytes that were sent in advance answer nothing.
"""

import json
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

NONCE_BYTES = 8
TEXT_BYTES = 4096
# Python and NumPy promote in their own ways; only a change of kind is a mistake.
ACCEPTED_KINDS = {"bool": "b", "int32": "iu", "float32": "fiu", "float64": "fiu"}


class Outcome(StrEnum):
    """How a case or a check ended."""

    PASS = "pass"
    ANSWERED = "answered"  # on the wire only: arrays came back, not judged yet
    NOT_IMPLEMENTED = "not_implemented"
    IMPORT_ERROR = "import_error"
    MISSING = "missing"
    RAISED = "raised"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    WRONG_SHAPE = "wrong_shape"
    WRONG_DTYPE = "wrong_dtype"
    NOT_FINITE = "not_finite"
    WRONG_VALUE = "wrong_value"
    TIMEOUT = "timeout"
    EXITED = "exited"
    PROTOCOL = "protocol"
    GRADER_ERROR = "grader_error"


WIRE = tuple(Outcome)  # an outcome's code is its place in this tuple


@dataclass(frozen=True)
class ArraySpec:
    """The dtype and shape of an array, known before its bytes are read.

    Example:
        >>> spec = ArraySpec("float32", (2, 3))
        >>> spec.nbytes, str(spec)
        (24, 'float32 (2, 3)')
    """

    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.dtype not in ACCEPTED_KINDS:
            raise ValueError(f"{self.dtype} is not one of {list(ACCEPTED_KINDS)}")

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


@dataclass(frozen=True)
class Reply:
    """What came back for one request: arrays if answered, else a text."""

    outcome: Outcome
    arrays: tuple[np.ndarray, ...] = ()
    text: str = ""


def pack_request(header: dict[str, Any], arguments: Sequence[Any] = ()) -> bytes:
    """Bytes of a request; NumPy arguments as raw bytes, plain values in the header."""
    described: list[dict[str, Any]] = []
    payload = b""
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            spec = {"dtype": argument.dtype.name, "shape": list(argument.shape)}
            described.append(spec)
            payload += argument.tobytes()
        else:
            described.append({"value": argument})
    text = json.dumps({**header, "arguments": described}).encode()
    return struct.pack(">I", len(text)) + text + payload


def read_request(
    receive: Callable[[int], bytes],
) -> tuple[dict[str, Any], list[Any]]:
    """Header and arguments of a request; arrays are read-only, for they are shared."""
    (length,) = struct.unpack(">I", receive(4))
    header = json.loads(receive(length))
    arguments = []
    for described in header["arguments"]:
        if "dtype" in described:
            spec = ArraySpec(described["dtype"], tuple(described["shape"]))
            flat = np.frombuffer(receive(spec.nbytes), spec.dtype)
            arguments.append(flat.reshape(spec.shape))
        else:
            arguments.append(described["value"])
    return header, arguments


def pack_reply(
    nonce: bytes, outcome: Outcome, text: str = "", body: bytes = b""
) -> bytes:
    """Bytes of a reply: the arrays of an answer, or a text of fixed size."""
    if outcome is not Outcome.ANSWERED:
        body = text.encode("utf-8", "replace")[:TEXT_BYTES].ljust(TEXT_BYTES, b"\0")
    return nonce + bytes([WIRE.index(outcome)]) + body


def read_reply(
    receive: Callable[[int], bytes], nonce: bytes, returns: Sequence[ArraySpec]
) -> Reply:
    """The reply to the request with this nonce; a foreign reply is a `protocol`."""
    if receive(NONCE_BYTES) != nonce:
        return Reply(Outcome.PROTOCOL, text="the reply does not belong to the question")
    code = receive(1)[0]
    if code >= len(WIRE):
        return Reply(Outcome.PROTOCOL, text=f"the reply has the unknown code {code}")
    if WIRE[code] is not Outcome.ANSWERED:
        text = receive(TEXT_BYTES).rstrip(b"\0").decode("utf-8", "replace")
        return Reply(WIRE[code], text=text)
    arrays = tuple(
        np.frombuffer(receive(spec.nbytes), spec.dtype).reshape(spec.shape)
        for spec in returns
    )
    return Reply(Outcome.ANSWERED, arrays)

"""Fixed-size frames: what is promised is read, and nothing else is believed."""

import io

import numpy as np
import pytest

from kit.grading.boundary import (
    NONCE_BYTES,
    TEXT_BYTES,
    ArraySpec,
    Outcome,
    pack_reply,
    pack_request,
    read_reply,
    read_request,
)

NONCE = bytes(range(NONCE_BYTES))
ARRAYS = [
    np.arange(6, dtype="float32").reshape(2, 3),
    np.array([True, False]),
    np.array(7, "int32"),
    np.empty((0, 3), "float32"),
]


def reader(data):
    stream = io.BytesIO(data)

    def receive(size):
        chunk = stream.read(size)
        if len(chunk) < size:
            raise EOFError
        return chunk

    return receive, stream


def test_arguments_arrive_as_they_were_sent():
    plain = [3, 2.5, "text", None, True, [1, 2]]
    receive, stream = reader(pack_request({"function": "f"}, [*ARRAYS, *plain]))
    header, arguments = read_request(receive)
    assert header["function"] == "f"
    for sent, got in zip(ARRAYS, arguments[: len(ARRAYS)], strict=True):
        np.testing.assert_array_equal(sent, got)
        assert (sent.dtype, sent.shape) == (got.dtype, got.shape)
        assert not got.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            got.flags.writeable = True
    assert arguments[len(ARRAYS) :] == plain
    assert stream.read() == b""


def test_answers_arrive_as_they_were_sent():
    specs = [ArraySpec(array.dtype.name, array.shape) for array in ARRAYS]
    body = b"".join(array.tobytes() for array in ARRAYS)
    receive, stream = reader(pack_reply(NONCE, Outcome.ANSWERED, body=body) + b"more")
    reply = read_reply(receive, NONCE, specs)
    assert reply.outcome is Outcome.ANSWERED
    for sent, got in zip(ARRAYS, reply.arrays, strict=True):
        np.testing.assert_array_equal(sent, got)
    assert stream.read() == b"more"  # not a byte too many is read


def test_texts_have_one_size():
    for text in ("", "short", "ä" * TEXT_BYTES, "\ud800"):
        frame = pack_reply(NONCE, Outcome.RAISED, text)
        assert len(frame) == NONCE_BYTES + 1 + TEXT_BYTES
        assert read_reply(reader(frame)[0], NONCE, []).outcome is Outcome.RAISED


@pytest.mark.parametrize(
    "frame",
    [
        pack_reply(NONCE[::-1], Outcome.ANSWERED),
        NONCE + bytes([255]),
        bytes(4096),
        b'{"outcome": "pass"}' + bytes(100),
    ],
)
def test_foreign_bytes_are_not_a_reply(frame):
    assert read_reply(reader(frame)[0], NONCE, []).outcome is Outcome.PROTOCOL


def test_a_reply_that_ends_early_is_no_reply():
    frame = pack_reply(NONCE, Outcome.ANSWERED, body=bytes(8))
    with pytest.raises(EOFError):
        read_reply(reader(frame)[0], NONCE, [ArraySpec("float32", (3,))])


def test_only_plain_numbers_can_be_promised():
    for dtype in ("object", "complex64", "U3", "datetime64[s]"):
        with pytest.raises(ValueError, match="not one of"):
            ArraySpec(dtype, (1,))

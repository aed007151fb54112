"""GGUF: every block format is its formula, and a broken file says what is wrong."""

import struct

import numpy as np
import pytest

from kit.errors import KitError
from kit.pretrained.gguf import FORMATS, read_gguf
from tests.pretrained.files import packed, write_gguf

METADATA = {
    "general.architecture": "llama",
    "a.number": 7,
    "a.float": 0.5,
    "words": ["eins", "zw\u00f6lf", ""],
    "numbers": [1, 2, 3],
}


@pytest.fixture
def weights():
    return np.random.default_rng(0).normal(size=(3, 2, 64)).astype("float32")


def written(folder, weights, form, **options):
    first = np.arange(6, dtype="float32").reshape(2, 3)  # 24 bytes: the next is padded
    tensors = {"first": (first, "F32"), "w": (weights, form)}
    return write_gguf(folder / "file.gguf", METADATA, tensors, **options)


@pytest.mark.parametrize("version", (2, 3))
def test_metadata_is_read(version, tmp_path, weights):
    gguf = read_gguf(written(tmp_path, weights, "F32", version=version))
    assert gguf.metadata == METADATA
    assert list(gguf.entries) == ["first", "w"]
    assert gguf.about("a.number") == 7 and gguf.about("absent", 3) == 3
    with pytest.raises(KitError, match="does not tell its absent"):
        gguf.about("absent")
    with pytest.raises(KitError, match="no tensor 'v'"):
        gguf.tensor("v")


def test_float32_comes_back_exactly(tmp_path, weights):
    gguf = read_gguf(written(tmp_path, weights, "F32"))
    np.testing.assert_array_equal(gguf.tensor("w"), weights)
    np.testing.assert_array_equal(gguf.tensor("first").ravel(), np.arange(6))


def test_float16_comes_back_rounded_once(tmp_path, weights):
    read = read_gguf(written(tmp_path, weights, "F16")).tensor("w")
    np.testing.assert_array_equal(read, weights.astype("float16").astype("float32"))
    assert read.dtype == np.float32


@pytest.mark.parametrize(
    "form, levels, least", [("Q8_0", 127, None), ("Q4_1", 15, "min")]
)
def test_a_quantised_weight_is_off_by_half_a_step(
    form, levels, least, tmp_path, weights
):
    """Half a step of its own block, and what rounding d and m to float16 adds."""
    read = read_gguf(written(tmp_path, weights, form)).tensor("w")
    assert read.shape == weights.shape and read.dtype == np.float32
    blocks = weights.reshape(-1, 32)
    spread = np.abs(blocks).max(1) if least is None else np.ptp(blocks, axis=1)
    error = np.abs(read.reshape(-1, 32) - blocks).max(axis=1)
    assert (error <= 0.5 * spread / levels + 2e-3 * np.abs(blocks).max(1)).all()
    assert error.max() > 0


def test_a_block_of_q8_0_by_hand(tmp_path):
    """w = d q with d = 0.5 and q = -16 ... 15."""
    block = np.float16(0.5).tobytes() + np.arange(-16, 16, dtype="int8").tobytes()
    assert (
        read_block(tmp_path, "Q8_0", block).tolist()
        == (0.5 * np.arange(-16, 16)).tolist()
    )


def test_a_block_of_q4_1_by_hand(tmp_path):
    """w = d q + m with d = 2, m = -1; byte i is q of weight i and of weight i + 16."""
    nibbles = bytes(i | (15 - i) << 4 for i in range(16))
    block = np.float16(2).tobytes() + np.float16(-1).tobytes() + nibbles
    quants = np.r_[np.arange(16), np.arange(16)[::-1]]
    assert read_block(tmp_path, "Q4_1", block).tolist() == (2.0 * quants - 1).tolist()


def read_block(folder, form, block):
    path = write_gguf(folder / "one.gguf", {}, {"w": (np.zeros(32, "float32"), form)})
    path.write_bytes(path.read_bytes()[: -len(block)] + block)
    return read_gguf(path).tensor("w")


def test_packing_agrees_with_the_table_of_formats(weights):
    for form in FORMATS.values():
        size = weights.size // form.weights * form.block.itemsize
        assert len(packed(weights, form.name)) == size


def test_alignment_is_read_from_the_file(tmp_path, weights):
    tensors = {"a": (weights[0, 0, :3], "F32"), "w": (weights, "F32")}
    metadata = {"general.alignment": 128}
    path = write_gguf(tmp_path / "wide.gguf", metadata, tensors, alignment=128)
    np.testing.assert_array_equal(read_gguf(path).tensor("w"), weights)


def test_a_file_cut_anywhere_is_a_clear_error(tmp_path, weights):
    path = written(tmp_path, weights[:1], "Q4_1")
    whole = path.read_bytes()
    for length in range(4, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(KitError, match="truncated"):
            read_gguf(path)


def test_a_file_cut_after_it_was_opened_is_a_clear_error(tmp_path, weights):
    path = written(tmp_path, weights, "F32")
    gguf = read_gguf(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(KitError, match="truncated"):
        gguf.tensor("w")


def test_counts_beyond_the_file_do_not_fill_the_memory(tmp_path):
    for tensors, pairs in ((2**62, 0), (0, 2**62)):
        path = tmp_path / "greedy.gguf"
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs))
        with pytest.raises(KitError, match="truncated"):
            read_gguf(path)


@pytest.mark.parametrize(
    "content, told",
    [
        (b"PK\x03\x04 a wheel", "is no GGUF file: it begins with b'PK"),
        (b"", "is no GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version 50331648"),
    ],
)
def test_other_files_are_refused(content, told, tmp_path):
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with pytest.raises(KitError, match=told):
        read_gguf(path)


def test_other_formats_are_named(tmp_path, weights):
    with pytest.raises(KitError, match="'w' is of type 12, .* F32, F16, Q4_1, Q8_0"):
        read_gguf(written(tmp_path, weights, 12))


def test_half_a_block_is_refused(tmp_path, weights):
    path = written(tmp_path, weights, "F32")
    content = path.read_bytes()
    line = struct.pack("<I3QI", 3, 64, 2, 3, 0)  # 64 innermost, as F32
    assert content.count(line) == 1
    path.write_bytes(content.replace(line, struct.pack("<I3QI", 3, 48, 2, 3, 3)))
    with pytest.raises(KitError, match=r"\[3, 2, 48\] is not made of blocks of 32"):
        read_gguf(path)


@pytest.mark.parametrize("path", ("absent.gguf", "."))
def test_a_file_that_is_not_there_is_told(path, tmp_path):
    with pytest.raises(KitError, match="there is no file"):
        read_gguf(tmp_path / path)

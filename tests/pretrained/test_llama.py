"""A Llama in either file format is the Llama of the paper, written out in NumPy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kit.errors import KitError
from kit.models import build, initialise, named_weights
from kit.pretrained import gguf_llama, llama2c
from kit.pretrained.gguf import PIECE, read_gguf
from kit.pretrained.llama import file_name, llama_config, pairs_to_halves
from tests.pretrained import files

WIDTH, HIDDEN, BLOCKS, HEADS, KEY_HEADS, VOCABULARY, CONTEXT = 32, 48, 2, 4, 2, 11, 8
SIZES = (WIDTH, HIDDEN, BLOCKS, HEADS, KEY_HEADS, VOCABULARY, CONTEXT)
EPSILON, BASE = 1e-5, 500.0
TOKENS = np.array([3, 1, 4, 1, 5, 9, 2, 6])
ROOT = Path(__file__).parents[2]
ELSEWHERE = """
import sys
import numpy as np
from kit.pretrained import gguf_llama, gguf
from tests.pretrained.test_llama import TOKENS
model = gguf_llama.read_model(gguf.read_gguf(sys.argv[1]), "tiny")
np.save(sys.argv[2], np.asarray(model(TOKENS[None]))[0])
"""
METADATA = {
    "general.architecture": "llama",
    "llama.block_count": BLOCKS,
    "llama.context_length": CONTEXT,
    "llama.embedding_length": WIDTH,
    "llama.feed_forward_length": HIDDEN,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KEY_HEADS,
    "llama.attention.layer_norm_rms_epsilon": EPSILON,
    "llama.rope.freq_base": BASE,
}


def random_weights(untied=False):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return (rng.normal(size=shape) * 2 / np.sqrt(shape[-1])).astype("float32")

    keys = WIDTH // HEADS * KEY_HEADS
    weights = {"token_embd.weight": normal(VOCABULARY, WIDTH)}
    for index in range(BLOCKS):
        weights |= {
            f"blk.{index}.{name}.weight": array
            for name, array in {
                "attn_norm": 1 + normal(WIDTH),
                "attn_q": normal(WIDTH, WIDTH),
                "attn_k": normal(keys, WIDTH),
                "attn_v": normal(keys, WIDTH),
                "attn_output": normal(WIDTH, WIDTH),
                "ffn_norm": 1 + normal(WIDTH),
                "ffn_gate": normal(HIDDEN, WIDTH),
                "ffn_up": normal(HIDDEN, WIDTH),
                "ffn_down": normal(WIDTH, HIDDEN),
            }.items()
        }
    weights["output_norm.weight"] = 1 + normal(WIDTH)
    return weights | ({"output.weight": normal(VOCABULARY, WIDTH)} if untied else {})


def plain_llama(weights, base):
    """Logits (time, vocabulary) of `TOKENS`, in float64: one head after the other."""
    weights = {name: array.astype("float64") for name, array in weights.items()}
    embedding = weights["token_embd.weight"]
    x = embedding[TOKENS]
    for index in range(BLOCKS):
        block = {
            name.split(".")[2]: array
            for name, array in weights.items()
            if name.startswith(f"blk.{index}.")
        }
        y = normed(x, block["attn_norm"])
        x = x + attended(y, block, base) @ block["attn_output"].T
        y = normed(x, block["ffn_norm"])
        gate = y @ block["ffn_gate"].T
        gated = gate / (1 + np.exp(-gate)) * (y @ block["ffn_up"].T)
        x = x + gated @ block["ffn_down"].T
    head = weights.get("output.weight", embedding)
    return normed(x, weights["output_norm.weight"]) @ head.T


def normed(x, scale):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + EPSILON) * scale


def attended(y, block, base):
    size = WIDTH // HEADS
    heads = []
    for head in range(HEADS):
        group = head // (HEADS // KEY_HEADS)
        rows, key_rows = (
            slice(head * size, head * size + size),
            slice(group * size, group * size + size),
        )
        query = turned(y @ block["attn_q"][rows].T, base)
        key = turned(y @ block["attn_k"][key_rows].T, base)
        scores = (query @ key.conj().T).real / np.sqrt(size)
        scores[np.triu_indices(len(y), 1)] = -np.inf
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        heads.append(shares @ (y @ block["attn_v"][key_rows].T))
    return np.concatenate(heads, axis=1)


def turned(x, base):
    """Neighbouring channels as complex numbers, turned by position times frequency."""
    pairs = x[:, 0::2] + 1j * x[:, 1::2]
    frequency = base ** (-np.arange(0, x.shape[1], 2) / x.shape[1])
    return pairs * np.exp(1j * np.outer(np.arange(len(x)), frequency))


def logits(model):
    return np.asarray(model(TOKENS[None]))[0]


def as_gguf(folder, weights, form="F32", **metadata):
    tensors = {
        name: (array, form if array.ndim == 2 and array.shape[1] % 32 == 0 else "F32")
        for name, array in weights.items()
    }
    return files.write_gguf(folder / "llama.gguf", METADATA | metadata, tensors)


@pytest.mark.parametrize("untied", (False, True))
def test_gguf_is_the_llama_of_the_paper(untied, tmp_path):
    weights = random_weights(untied)
    model = gguf_llama.read_model(read_gguf(as_gguf(tmp_path, weights)), "tiny")
    np.testing.assert_allclose(logits(model), plain_llama(weights, BASE), atol=2e-4)
    assert model.config.tied_head != untied


@pytest.mark.parametrize("untied", (False, True))
def test_llama2c_is_the_llama_of_the_paper(untied, tmp_path):
    weights = random_weights(untied)
    path = files.write_llama2c(tmp_path / "tiny.bin", SIZES, weights, untied)
    model = llama2c.read_model(path, "tiny")
    np.testing.assert_allclose(logits(model), plain_llama(weights, 1e4), atol=2e-4)


@pytest.mark.parametrize("form", ("Q8_0", "Q4_1"))
def test_quantised_weights_are_those_of_the_file(form, tmp_path):
    gguf = read_gguf(as_gguf(tmp_path, random_weights(), form))
    model = gguf_llama.read_model(gguf, "tiny")
    rounded = {name: gguf.tensor(name) for name in gguf.entries}
    np.testing.assert_allclose(logits(model), plain_llama(rounded, BASE), atol=2e-4)


@pytest.mark.slow
def test_another_backend_loads_the_same_model(tmp_path):
    pytest.importorskip("jax")
    weights = random_weights()
    path, out = as_gguf(tmp_path, weights, "Q8_0"), tmp_path / "logits.npy"
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(path), str(out)],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    here = logits(gguf_llama.read_model(read_gguf(path), "tiny"))
    np.testing.assert_allclose(np.load(out), here, atol=2e-4)


def test_a_tensor_in_pieces_is_the_tensor(tmp_path, monkeypatch):
    weights = random_weights()
    gguf = read_gguf(as_gguf(tmp_path, weights, "Q8_0"))
    monkeypatch.setattr("kit.pretrained.gguf.PIECE", 3 * WIDTH)
    pieces = list(gguf.pieces("token_embd.weight"))
    assert [len(piece) for piece in pieces] == [3, 3, 3, 2]
    whole = gguf.tensor("token_embd.weight")
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    model = gguf_llama.read_model(gguf, "tiny")
    embedding = named_weights(model)["embedding/embeddings"]
    np.testing.assert_array_equal(np.asarray(embedding), whole)
    assert PIECE * 4 < 20e6  # bytes, of which TensorFlow makes two copies


def test_the_context_can_be_chosen(tmp_path):
    weights = random_weights()
    gguf = read_gguf(as_gguf(tmp_path, weights))
    model = gguf_llama.read_model(gguf, "tiny", context_length=20)
    assert model.config.context_length == 20
    np.testing.assert_allclose(logits(model), plain_llama(weights, BASE), atol=2e-4)


def test_a_loaded_model_can_start_afresh(tmp_path):
    """The weights were never drawn, but they know how they would start."""
    gguf = read_gguf(as_gguf(tmp_path, random_weights()))
    model = gguf_llama.read_model(gguf, "tiny")
    initialise(model, seed=0)
    np.testing.assert_array_equal(logits(model), logits(build(model.config)))


def test_permuted_rows_keep_each_head_together():
    rows = np.arange(12.0)[:, None]
    halves = pairs_to_halves(rows, head_dim=6).ravel()
    assert halves.tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]


def test_every_weight_has_a_name_in_files():
    config = llama_config(2, 4, 2, 8, vocabulary_size=9, context_length=4, width=8)
    names = [file_name(key) for key in named_weights(build(config))]
    assert len(set(names)) == len(names) == 2 + 9 * 2


@pytest.mark.parametrize(
    "change, told",
    [
        ({"blk.1.attn_q.weight": None}, "'blk.1.attn_q.weight' is missing"),
        ({"blk.0.attn_q.bias": np.zeros(WIDTH)}, "'blk.0.attn_q.bias' is unknown"),
        ({"blk.1.ffn_up.weight": np.zeros((WIDTH, HIDDEN))}, r"shape \(32, 48\), ex"),
        ({"token_embd.weight": None}, "no tensor 'token_embd.weight'"),
    ],
)
def test_another_model_is_refused(change, told, tmp_path):
    weights = random_weights() | change
    weights = {name: array for name, array in weights.items() if array is not None}
    gguf = read_gguf(as_gguf(tmp_path, weights))
    with pytest.raises(KitError, match=told):
        gguf_llama.read_model(gguf, "tiny")


@pytest.mark.parametrize(
    "metadata, told",
    [
        ({"general.architecture": "gpt2"}, "is 'gpt2', and only 'llama' is read"),
        ({"llama.rope.dimension_count": 4}, "turns 4 of the 8 channels"),
        ({"llama.block_count": 10**9}, "tells of 1000000000 blocks"),
        ({"llama.attention.head_count_kv": 3}, "does not divide num_heads=4"),
    ],
)
def test_another_architecture_is_refused(metadata, told, tmp_path):
    gguf = read_gguf(as_gguf(tmp_path, random_weights(), **metadata))
    with pytest.raises(KitError, match=told):
        gguf_llama.read_model(gguf, "tiny")


def test_other_llama2c_files_are_refused(tmp_path):
    path = files.write_llama2c(tmp_path / "tiny.bin", SIZES, random_weights())
    whole = path.read_bytes()
    for content in (b"", whole[:20], bytes(28), b"GGUF" * 7 + b"\xff" * 80):
        path.write_bytes(content)
        with pytest.raises(KitError, match="no llama2.c file|its header tells of"):
            llama2c.read_model(path, "tiny")
    for content in (whole[:-4], whole + bytes(4)):
        path.write_bytes(content)
        with pytest.raises(KitError, match="bytes, its header tells of"):
            llama2c.read_model(path, "tiny")

"""Small files as others write them: GGUF with each block format, and llama2.c's."""

import struct

import numpy as np

U32, F32, STRING, ARRAY = 4, 6, 8, 9
TYPES = {"F32": 0, "F16": 1, "Q4_1": 3, "Q8_0": 8}
PIECES = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{i:02X}>" for i in range(256))]


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def metadata_value(value):
    """Type and bytes of a number, a string, or a list of one of them."""
    if isinstance(value, str):
        return STRING, text(value)
    if isinstance(value, float):
        return F32, struct.pack("<f", value)
    if isinstance(value, int):
        return U32, struct.pack("<I", value)
    kinds, parts = zip(*map(metadata_value, value), strict=True)
    return ARRAY, struct.pack("<IQ", kinds[0], len(value)) + b"".join(parts)


def packed(array, form):
    """An array in a format, block by block, as the format's formula asks for."""
    if form in ("F32", "F16"):
        return array.astype("<f4" if form == "F32" else "<f2").tobytes()
    blocks = array.reshape(-1, 32)
    if form == "Q8_0":  # w = d q, q from -127 to 127
        scale = (np.abs(blocks).max(axis=1) / 127).astype("float16")
        steps = np.rint(blocks / np.maximum(scale.astype("float32"), 1e-8)[:, None])
        return b"".join(
            d.tobytes() + q.astype("int8").tobytes()
            for d, q in zip(scale, steps, strict=True)
        )
    low, high = blocks.min(axis=1), blocks.max(axis=1)  # w = d q + m, q from 0 to 15
    scale, least = ((high - low) / 15).astype("float16"), low.astype("float16")
    wide = np.maximum(scale.astype("float32"), 1e-8)[:, None]
    steps = np.rint((blocks - least[:, None].astype("float32")) / wide)
    steps = np.clip(steps, 0, 15).astype("uint8")
    return b"".join(
        d.tobytes() + m.tobytes() + (q[:16] | q[16:] << 4).tobytes()
        for d, m, q in zip(scale, least, steps, strict=True)
    )


def write_gguf(path, metadata, tensors, version=3, alignment=32):
    """A GGUF file; `tensors` are (array, format) by name."""
    table, data = b"", b""
    for name, (array, form) in tensors.items():
        data += bytes(-len(data) % alignment)
        shape = array.shape[::-1]
        table += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        table += struct.pack("<IQ", TYPES.get(form, form), len(data))
        data += packed(array, form) if form in TYPES else bytes(64)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        kind, content = metadata_value(value)
        head += text(key) + struct.pack("<I", kind) + content
    head += table
    path.write_bytes(head + bytes(-len(head) % alignment) + data)
    return path


def write_llama2c(path, sizes, weights, untied=False):
    """A llama2.c file; `weights` are named as by llama.cpp."""
    width, _, blocks, heads, _, vocabulary, context = sizes
    order = ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output"]
    order += ["ffn_norm", "ffn_gate", "ffn_down", "ffn_up"]
    parts = [weights["token_embd.weight"]]
    parts += [weights[f"blk.{i}.{n}.weight"] for n in order for i in range(blocks)]
    parts += [weights["output_norm.weight"], np.zeros(context * width // heads)]
    if untied:
        parts.append(weights["output.weight"])
        vocabulary = -vocabulary
    content = b"".join(part.astype("<f4").tobytes() for part in parts)
    path.write_bytes(struct.pack("<7i", *sizes[:5], vocabulary, context) + content)
    return path


def write_pieces(path, pieces, scores):
    """A vocabulary as llama2.c keeps it."""
    content = struct.pack("<i", max(len(piece.encode()) for piece in pieces))
    for piece, score in zip(pieces, scores, strict=True):
        content += struct.pack("<fi", score, len(piece.encode())) + piece.encode()
    path.write_bytes(content)
    return path

"""A Llama in a GGUF file: its config, its weights, and its tokenizer."""

from kit.data.bpe import ByteLevelBPETokenizer
from kit.errors import KitError
from kit.models import Transformer
from kit.pretrained.gguf import GGUF
from kit.pretrained.llama import llama_config, llama_model

NEEDED = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
)
CONTROL = 3  # the type of a token that stands for no text


def read_model(gguf: GGUF, name: str, context_length: int | None = None) -> Transformer:
    """The kit model of a GGUF file.

    Args:
        gguf: The file.
        name: Name of the model.
        context_length: Longest sequence; `None` for that of the file.

    Raises:
        KitError: The file holds no Llama, or one that the kit cannot build.
    """
    _expect(gguf, "general.architecture", "llama")
    about = {key: gguf.about(f"llama.{key}") for key in NEEDED}
    heads, width = about["attention.head_count"], about["embedding_length"]
    turned = gguf.about("llama.rope.dimension_count", width // heads)
    if turned != width // heads:
        raise KitError(
            f"{gguf.path} turns {turned} of the {width // heads} channels of a head",
            "Pass a Llama that turns whole heads",
        )
    if about["block_count"] > len(gguf.entries):  # before a model of such a size
        raise KitError(
            f"{gguf.path} tells of {about['block_count']} blocks and has "
            f"{len(gguf.entries)} tensors",
            "Fetch the file again",
        )
    config = llama_config(
        about["block_count"],
        heads,
        about["attention.head_count_kv"],
        about["feed_forward_length"],
        vocabulary_size=gguf.entry("token_embd.weight").shape[0],
        context_length=context_length or about["context_length"],
        width=width,
        norm_epsilon=about["attention.layer_norm_rms_epsilon"],
        rotary_base=gguf.about("llama.rope.freq_base", 10_000.0),
        tied_head="output.weight" not in gguf.entries,
    )
    shapes = {key: entry.shape for key, entry in gguf.entries.items()}
    return llama_model(config, shapes, gguf.pieces, name)


def read_tokenizer(gguf: GGUF, spec: str) -> ByteLevelBPETokenizer:
    """The byte-level tokenizer in a file's metadata.

    Digits stand alone; what is between them is cut into words as in GPT-2.

    Args:
        gguf: The file.
        spec: What `get_tokenizer` knows the tokenizer by.

    Raises:
        KitError: The file has no tokenizer of this type.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    _expect(gguf, "tokenizer.ggml.model", "gpt2")
    _expect(gguf, "tokenizer.ggml.pre", "smollm")
    tokens, kinds, joined = (
        gguf.about(f"tokenizer.ggml.{part}")
        for part in ("tokens", "token_type", "merges")
    )
    merges = [tuple(pair.split(" ")) for pair in joined]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    pairs = zip(tokens, kinds, strict=True)
    tokenizer.add_special_tokens([token for token, kind in pairs if kind == CONTROL])
    return ByteLevelBPETokenizer(tokenizer, spec)


def _expect(gguf: GGUF, key: str, wanted: str) -> None:
    found = gguf.about(key)
    if found != wanted:
        raise KitError(
            f"{gguf.path}: {key} is {found!r}, and only {wanted!r} is read",
            "Pass a file of SmolLM2, or of a model of its kind",
        )

"""Continuing a sequence, token by token."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from kit.checks import check_tokens
from kit.errors import KitError
from kit.models.reader import reader_of
from kit.models.transformer import Transformer


def generate(
    model: Transformer,
    tokens: np.ndarray,
    steps: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int = 0,
    use_cache: bool = True,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Continue sequences by `steps` tokens.

    A causal model keeps the keys and values of what it has read. Where the sequence
    outgrows the context, the model reads the last `context_length` tokens afresh.
    A model with a full mask reads everything afresh each time.

    On TensorFlow and JAX, what pays to be compiled is, for each batch size and power of
    two of the length, and stays with the model: see `kit.models.reader`.

    Args:
        model: A kit model.
        tokens: (batch, time) integers, the prompts, all of one length.
        steps: Tokens to add.
        temperature: 0 takes the likeliest token; else logits are divided by it.
        top_k: Sample among the k likeliest tokens only.
        seed: Seed of the sampling.
        use_cache: Keep keys and values. The logits are the same without.
        progress: Called with the number of tokens added.

    Returns:
        (batch, time + steps) int32.

    Raises:
        KitError: A size or a temperature is out of range, or a prompt is shorter
            than the model's prefix.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> generate(build(config), np.zeros((2, 3), "int32"), steps=4).shape
        (2, 7)
    """
    tokens = np.atleast_2d(tokens)
    _check(model, tokens, steps, temperature, top_k)
    tokens = tokens.astype("int32")
    rng = np.random.default_rng(seed)
    next_logits = _afresh(model)
    if use_cache and model.config.mask != "full":
        next_logits = _cached(model, tokens.shape[1] + steps)
    for step in range(steps):
        logits = next_logits(tokens, steps - step)
        chosen = _choose(logits, temperature, top_k, rng)
        tokens = np.concatenate([tokens, chosen[:, None]], axis=1)
        if progress is not None:
            progress(step + 1)
    return tokens


def _afresh(model: Transformer) -> Callable[[np.ndarray, int], np.ndarray]:
    def next_logits(tokens: np.ndarray, ahead: int) -> np.ndarray:
        logits = model(tokens[:, -model.config.context_length :])
        return ops.convert_to_numpy(logits[:, -1])

    return next_logits


def _cached(model: Transformer, total: int) -> Callable[[np.ndarray, int], np.ndarray]:
    context = model.config.context_length
    reader = reader_of(model, min(total, context))
    read, state = 0, None

    def next_logits(tokens: np.ndarray, ahead: int) -> np.ndarray:
        nonlocal read, state
        if tokens.shape[1] > context:  # positions change, so nothing can be kept
            return reader(tokens[:, -context:], ahead=ahead)[0]
        ahead = ahead if read else 1  # the prompt is read once
        logits, state = reader(tokens[:, read:], read, state, ahead)
        read = tokens.shape[1]
        return logits

    return next_logits


def _choose(logits: Any, temperature: float, top_k: int | None, rng: Any) -> np.ndarray:
    if temperature == 0:
        return logits.argmax(axis=-1).astype("int32")
    if top_k is not None:
        others = np.argsort(-logits, axis=-1, kind="stable")[:, top_k:]
        np.put_along_axis(logits, others, -np.inf, axis=-1)
    # The largest of logits plus Gumbel noise is a draw from their softmax. The noise
    # is scaled, and not the logits, so that no temperature is too small to divide by.
    noise = rng.gumbel(size=logits.shape)
    return (logits + temperature * noise).argmax(axis=-1).astype("int32")


def _check(
    model: Any, tokens: Any, steps: int, temperature: float, top_k: int | None
) -> None:
    if tokens.ndim != 2 or tokens.size < 1:
        raise KitError(
            f"the prompts have shape {tokens.shape}, expected (batch >= 1, time >= 1)",
            "Start from at least one token",
        )
    if tokens.dtype.kind not in "iu":
        raise KitError(
            f"the prompts are {tokens.dtype}, expected whole numbers",
            "Encode the prompt with the tokenizer that the model was trained with",
        )
    vocabulary = model.config.vocabulary_size
    check_tokens(tokens, vocabulary)
    if steps < 0:
        raise KitError(f"steps={steps} is negative", "Use 0 or more")
    if not 0 <= temperature < np.inf:
        raise KitError(
            f"temperature={temperature} is not a number from 0 up", "Use 0 for greedy"
        )
    if top_k is not None and not 1 <= top_k <= vocabulary:
        raise KitError(
            f"top_k={top_k} is not in 1 to {vocabulary}", "Use None to sample from all"
        )
    prefix = model.config.prefix_length or 0
    if tokens.shape[1] < prefix:
        raise KitError(
            f"the prompt has {tokens.shape[1]} tokens, the model's prefix {prefix}",
            "Give the whole prefix as the prompt",
        )

"""Continuing a sequence, token by token."""

from collections.abc import Callable

import numpy as np
from keras import ops

from kit.errors import KitError
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
    tokens = np.atleast_2d(np.asarray(tokens, "int32"))
    _check(model, tokens, steps, temperature, top_k)
    rng = np.random.default_rng(seed)
    next_logits = _cached(model) if use_cache and model.config.mask != "full" else None
    for step in range(steps):
        window = tokens[:, -model.config.context_length :]
        if next_logits is not None and window.shape == tokens.shape:
            logits = next_logits(tokens)
        else:
            logits = _last(model(window))
        chosen = _choose(logits, temperature, top_k, rng)
        tokens = np.concatenate([tokens, chosen[:, None]], axis=1)
        if progress is not None:
            progress(step + 1)
    return tokens


def _cached(model: Transformer) -> Callable[[np.ndarray], np.ndarray]:
    cache, read = model.new_cache(), 0

    def next_logits(tokens: np.ndarray) -> np.ndarray:
        nonlocal read
        logits = model(tokens[:, read:], cache=cache, start=read)
        read = tokens.shape[1]
        return _last(logits)

    return next_logits


def _last(logits) -> np.ndarray:
    return ops.convert_to_numpy(logits[:, -1])


def _choose(logits, temperature: float, top_k: int | None, rng) -> np.ndarray:
    if temperature == 0:
        return logits.argmax(axis=-1).astype("int32")
    if top_k is not None:
        threshold = np.sort(logits, axis=-1)[:, -top_k, None]
        logits = np.where(logits < threshold, -np.inf, logits)
    # The largest of logits plus Gumbel noise is a draw from their softmax.
    noise = rng.gumbel(size=logits.shape)
    return (logits / temperature + noise).argmax(axis=-1).astype("int32")


def _check(model, tokens, steps, temperature, top_k) -> None:
    vocabulary = model.config.vocabulary_size
    if tokens.ndim != 2 or tokens.shape[1] < 1:
        raise KitError(
            f"the prompts have shape {tokens.shape}, expected (batch, time >= 1)",
            "Start from at least one token",
        )
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        raise KitError(
            f"token {tokens.max()} is outside the vocabulary of {vocabulary}",
            "Encode the prompt with the tokenizer that the model was trained with",
        )
    if steps < 0:
        raise KitError(f"steps={steps} is negative", "Use 0 or more")
    if temperature < 0:
        raise KitError(f"temperature={temperature} is negative", "Use 0 for greedy")
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

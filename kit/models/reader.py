"""Reading tokens into a cache, with what is repeated compiled once."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from kit.compiled import compiled, compilers
from kit.errors import KitError
from kit.layers.taps import is_listening
from kit.models.transformer import Transformer

PAYS_FROM = (8, 500)
"""Passes of one shape from which on a first and a second compiler are used.

The second, XLA, is paid back after some 70 passes of SmolLM2 on two cores, and after a
thousand or more of a small model: this lies between.
"""

SHORTEST = 64
"""Positions that cost so little that a reader makes room for them in any case."""

Shape = tuple[int, ...]
"""Batch, tokens that there is room for, and whether they are the first."""


class Reader:
    """The logits of the next token, after a model has read some more tokens.

    A pass is compiled where enough of the same shape are certain: those that were, and
    those to come. What few are for runs operation by operation, and so does every pass
    while activations are collected, and all on PyTorch. TensorFlow compiles what very
    many are for once more, with XLA.

    Args:
        model: A kit model whose mask is not full.
        length: Positions to make room for.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> reader = Reader(build(config), length=12)
        >>> logits, state = reader(np.zeros((2, 3), "int32"))
        >>> logits, state = reader(np.ones((2, 1), "int32"), start=3, state=state)
        >>> logits.shape
        (2, 14)
    """

    def __init__(self, model: Transformer, length: int):
        self.model = model
        self.length = length
        self.passes: Counter[Shape] = Counter()
        self._levels: Counter[Shape] = Counter()
        self._compiled: dict[Shape, Callable] = {}

    def __call__(
        self, tokens: np.ndarray, start: int = 0, state: Any = None, ahead: int = 1
    ) -> tuple[np.ndarray, Any]:
        """Read (batch, time) tokens.

        Args:
            tokens: What comes next.
            start: Position of the first of them.
            state: What was returned after the tokens before; `None` before any.
            ahead: Passes of this shape that are sure to come, with this one.

        Returns:
            Logits (batch, vocabulary_size), and the state to go on from.

        Raises:
            KitError: There is no room for so many tokens.
        """
        time = tokens.shape[1]
        if start + time > self.length:
            raise KitError(
                f"{start + time} tokens do not fit into {self.length} positions",
                "Make a reader with room for more, or read fewer tokens",
            )
        room = min(1 << (time - 1).bit_length(), self.length - start)
        shape = (len(tokens), room, state is None)
        certain = self.passes[shape] + ahead
        self.passes[shape] += 1
        level = 0 if is_listening() else self._level(shape, certain)
        if level:
            # Nobody sees the tokens that fill up the room: they are in the future, and
            # written over before it comes.
            filled = np.pad(tokens, [(0, 0), (0, room - time)])
            arrays = [np.array(each, "int32") for each in (filled, [time - 1], start)]
            inputs = (*map(ops.convert_to_tensor, arrays), state)
            logits, state = self._at(level, shape, inputs)(*inputs)
        else:
            logits, state = self._read(tokens, [time - 1], start, state)
        return ops.convert_to_numpy(logits), state

    def _level(self, shape: Shape, certain: int) -> int:
        """How many of the compilers pay in so many passes, or have been paid for."""
        paid = sum(certain >= passes for passes in PAYS_FROM[: len(compilers())])
        return max(paid, self._levels[shape])

    def _at(self, level: int, shape: Shape, inputs: Sequence[Any]) -> Callable:
        if level > self._levels[shape]:
            self._compiled[shape] = compiled(
                self._read, compilers()[level - 1], self.model.weights, inputs
            )
            self._levels[shape] = level
        return self._compiled[shape]

    def _read(self, tokens: Any, last: Any, start: Any, state: Any) -> tuple[Any, Any]:
        cache = self.model.new_cache(self.length)
        if state is not None:
            cache.state = state
        x = self.model.stream(tokens, cache, start)
        logits = self.model.logits(ops.take(x, last, axis=1))
        return logits[:, 0], cache.state


def reader_of(model: Transformer, length: int) -> Reader:
    """The reader of a model with room for `length` positions or some more.

    It stays with the model, so that what is compiled is compiled once. Few lengths are
    made: powers of two, and the context.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> model = build(ModelConfig.uniform(1, vocabulary_size=9, context_length=99))
        >>> [reader_of(model, length).length for length in (10, 70)]
        [64, 99]
    """
    rounded = max(SHORTEST, 1 << (length - 1).bit_length())
    length = min(rounded, model.config.context_length)
    readers: dict[int, Reader] = model.__dict__.setdefault("_readers", {})
    if length not in readers:
        readers[length] = Reader(model, length)
    return readers[length]


def settle(model: Transformer, tokens: np.ndarray, steps: int) -> None:
    """Compile now what `generate` would compile in long use, before it is timed.

    Args:
        model: A kit model whose mask is not full.
        tokens: (batch, time) prompts like those that will be continued.
        steps: Tokens to add: at least one, no more than the context has room for.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> settle(build(config), np.zeros((2, 3), "int32"), steps=4)
    """
    reader, ahead = reader_of(model, tokens.shape[1] + steps), max(PAYS_FROM)
    _, state = reader(tokens, ahead=ahead)
    reader(tokens[:, :1], tokens.shape[1], state, ahead)

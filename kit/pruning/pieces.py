"""A model in pieces that are compiled apart: halves of one kind share one function."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.blocks import BlockConfig
from kit.compiled import compiled
from kit.config import ModelConfig
from kit.errors import KitError
from kit.layers.taps import Collector
from kit.models import Transformer, named_weights
from kit.models.build import block_weights
from kit.models.parts import make_block
from kit.pruning.surgery import is_empty, without
from kit.training.scoring import token_losses


class Pieces:
    """Embedding, blocks and head of a model, to be run one by one.

    A serial block is run as its two halves, a parallel one as a whole. Each is a
    function of its weights and of the stream, traced once for each kind (each
    `BlockConfig`): twelve equal blocks cost two traces, with or without attention, and
    where the neurons become fewer only the half that has them is traced anew. A block
    can be run as another kind than it is, as far as it has the weights: so it is run
    without its attention. The weights are not changed, and read where they are, not
    copied.

    What is compiled stays with the model, for all pieces of it that come later.

    Args:
        model: A kit model.
        progress: Called after each block with the number of sequences it was run on.
        before: Pieces of an earlier model: what was compiled for it is used instead
            where it fits, so that a head is compiled once however often blocks change.

    Raises:
        KitError: A block copies the attention map of another.

    Attributes:
        evaluations: Blocks run so far, each times the number of sequences.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> pieces = Pieces(build(config))
        >>> x, bias = pieces.embed(np.zeros((3, 12), "int32"))
        >>> for index, block in enumerate(config.blocks):
        ...     x = pieces.block(index, block, x, bias)
        >>> tuple(x.shape), pieces.evaluations
        ((3, 12, 64), 6)
    """

    def __init__(
        self,
        model: Transformer,
        progress: Callable[[int], None] | None = None,
        before: "Pieces | None" = None,
    ):
        copies = [b.copies_map_from is not None for b in model.config.blocks]
        if any(copies):
            raise KitError(
                f"block {copies.index(True)} copies the attention map of an earlier "
                "one, so that blocks cannot be run one by one",
                "Prune a model first and share its maps afterwards",
            )
        self.model = model
        self.progress = progress
        self.evaluations = 0
        self.weights = named_weights(model)
        self._head_weights = _head_weights(model)
        self._compiled: _Compiled
        if before is not None and _alike(before.model, model):
            self._compiled = before._compiled
        else:
            self._compiled = model.__dict__.setdefault("_pieces", _Compiled(model))

    def embed(self, tokens: np.ndarray) -> tuple[Any, Any]:
        """(batch, time) tokens to the stream before block 0, and the attention bias."""
        tokens = ops.convert_to_tensor(tokens, "int32")
        bias = self.model.attention_bias(tokens, queries=tokens.shape[1])
        return _constant(self.model.embed(tokens)), bias

    def block(
        self,
        index: int,
        kind: BlockConfig,
        x: Any,
        bias: Any,
        watch: Callable | None = None,
        *seen: Any,
    ) -> Any:
        """The stream after block `index`, run as `kind`.

        Args:
            index: Whose weights.
            kind: The block's config, or one with fewer parts.
            x: (batch, time, width).
            bias: Of `embed`.
            watch: Compiled into the block: `watch(hidden, *seen)` gets the hidden
                state of the feed-forward (batch, time, neurons), and what it returns is
                returned beside the stream.
            *seen: Further arrays for `watch`.
        """
        rows, told = x.shape[0], None
        for half in halves(kind):
            watched = watch if half.feed_forward is not None else None
            found = self._compiled.kind(half, watched)
            names = (f"block_{index}/{name}" for name in found.names)
            values = [_constant(self.weights[name]) for name in names]
            if watched is None:
                x = found.run(values, x, bias)
            else:
                x, told = found.run(values, x, bias, *seen)
        self.evaluations += rows
        if self.progress is not None:
            self.progress(rows)
        return x if watch is None else (x, told)

    def head(self, function: Callable, *arrays: Any) -> np.ndarray:
        """A compiled `function(logits_of, *arrays)`, where `logits_of(x)` is the head.

        Args:
            function: One and the same object from call to call.
            *arrays: Its arguments.
        """
        run = self._compiled.head(function)
        values = [_constant(weight) for weight in self._head_weights]
        return ops.convert_to_numpy(run(values, *arrays))


@lru_cache(maxsize=256)
def halves(kind: BlockConfig) -> list[BlockConfig]:
    """The blocks of one part each that a serial block is; a parallel one is whole.

    Example:
        >>> halves(BlockConfig()) == halves(BlockConfig(feed_forward_dim=7))
        False
        >>> halves(BlockConfig())[0] == halves(BlockConfig(feed_forward_dim=7))[0]
        True
    """
    if kind.wiring == "parallel":
        return [kind]
    mixing = without(kind, frozenset(["feed_forward"]))
    apart = (
        replace(mixing, feed_forward_dim=None),
        without(kind, frozenset(["attention"])),
    )
    return [half for half in apart if not is_empty(half)]


def _alike(one: Transformer, other: Transformer) -> bool:
    """Whether models differ in their blocks alone."""
    same = replace(one.config, blocks=()) == replace(other.config, blocks=())
    return same and one.dtype_policy == other.dtype_policy


def losses(logits_of: Callable, x: Any, targets: Any) -> Any:
    """(batch, time) losses in nats of a stream after the blocks; for `Pieces.head`."""
    return token_losses(targets, logits_of(x))


def divergences(logits_of: Callable, x: Any, reference: Any) -> Any:
    """(batch, time) Kullback-Leibler divergences in nats from a reference stream."""
    mine, other = (ops.log_softmax(logits_of(each)) for each in (x, reference))
    return ops.sum(ops.exp(other) * (other - mine), axis=-1)


class _Compiled:
    """What is compiled for models that differ in their blocks alone."""

    def __init__(self, model: Transformer):
        self._model = model
        self._kinds: dict[Any, _Kind] = {}
        self._heads: dict[Any, Callable] = {}

    def kind(self, kind: BlockConfig, watch: Callable | None) -> "_Kind":
        """For `Pieces.block`."""
        key = (kind, watch)
        if key not in self._kinds:
            self._kinds[key] = _Kind(self._model, *key)
        return self._kinds[key]

    def head(self, function: Callable) -> Callable:
        """For `Pieces.head`: it takes the weights of the head, then the arrays."""
        if function not in self._heads:
            weights, logits_of = _head_weights(self._model), self._model.logits

            def run(values: list[Any], *arrays: Any) -> Any:
                with _weights(weights, values):
                    return function(logits_of, *arrays)

            self._heads[function] = compiled(run)
        return self._heads[function]


class _Kind:
    """One compiled function of (weights, stream, bias) for all blocks of a kind."""

    def __init__(self, model: Transformer, kind: BlockConfig, watch: Callable | None):
        config: ModelConfig = replace(model.config, blocks=(kind,))
        template = make_block(config, 0, model.dtype_policy)
        template.build((None, config.context_length, config.width))
        weights = block_weights(template)
        self.names = [name.partition("/")[2] for name in weights]

        def run(values: list[Any], x: Any, bias: Any, *seen: Any) -> Any:
            with (
                _weights(list(weights.values()), values),
                Collector("feed_forward/hidden") as collector,
            ):
                y = template(x, bias=bias, training=False)
            if watch is None:
                return y
            return y, watch(collector.values["feed_forward/hidden"], *seen)

        self.run = compiled(run)


def _head_weights(model: Transformer) -> list[Any]:
    head = [model.embedding]
    if model.final_norm is not None:
        head.append(model.final_norm)
    return [weight for layer in head for weight in layer.weights]


def _weights(variables: list[Any], values: list[Any]) -> keras.StatelessScope:
    """Within it, the variables have these values."""
    return keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)))


def _constant(x: Any) -> Any:
    """A variable's value, or a tensor, without a record of where it came from."""
    return ops.stop_gradient(ops.convert_to_tensor(x))

"""What a model loses without some of its parts, for many choices of parts at once."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
from keras import ops

from kit.data import IGNORED, Batch
from kit.errors import KitError
from kit.models import Transformer
from kit.pruning.adapters import Prunable
from kit.pruning.calibration import in_chunks
from kit.pruning.outline import KINDS, Part
from kit.pruning.pieces import Pieces, divergences, losses
from kit.pruning.streams import Streams
from kit.pruning.surgery import Path, path

Removed = Collection[Part]


class Judge:
    """The loss of a model without some parts, on one batch.

    Args:
        batch: What the loss is of.

    Attributes:
        candidates: Choices evaluated so far.
    """

    def __init__(self, batch: Batch):
        self.candidates = 0
        self._kept = batch.targets != IGNORED

    def loss(self, removed: Removed = ()) -> float:
        """Mean over the targets, in nats; infinity where it is not a number."""
        self.candidates += 1
        mean = float(np.mean(self._each(removed)[self._kept], dtype="float64"))
        return math.inf if math.isnan(mean) else mean

    def losses(self, choices: Sequence[Removed]) -> list[float]:
        """The loss of each choice, in the given order."""
        order = sorted(range(len(choices)), key=lambda i: self._key(choices[i]))
        found = {i: self.loss(choices[i]) for i in order}
        return [found[i] for i in range(len(choices))]

    def dense(self) -> float:
        """The loss of the whole model.

        Raises:
            KitError: It is not finite.
        """
        found = self.loss()
        if not math.isfinite(found):
            raise KitError(
                f"the model's own loss on the calibration data is {found}",
                "Look at its weights: they, or what they compute, hold NaN or infinity",
            )
        return found

    def _each(self, removed: Removed) -> np.ndarray:
        """(sequences, time) of losses."""
        raise NotImplementedError

    def _key(self, removed: Removed) -> tuple[bool, ...]:
        """Choices are evaluated in the order of this."""
        return ()


class Evaluator(Judge):
    """A `Judge` of a kit model.

    Models that begin with the same blocks share the work on them: a model is run from
    the first block in which it differs from all that `Streams` has kept. Many
    candidates are run in the order in which they share most: the first step of a
    greedy search runs B - i blocks for candidate i of B, and the next steps fewer.
    Nothing is built, copied or traced for a candidate.

    Memory: some streams (sequences, time, width) for each block; see `Streams`. Maps
    and logits are held for a few sequences at a time; see `in_chunks`.

    Args:
        model: A kit model; it is not changed.
        batch: What the loss is of.
        measure: `"loss"`, or `"divergence"` for the Kullback-Leibler divergence from
            the whole model's predictions.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(3, vocabulary_size=14, context_length=12)
        >>> tokens = np.arange(12)[None] % 14
        >>> evaluator = Evaluator(build(config), Batch(tokens, np.roll(tokens, -1)))
        >>> dense, without = evaluator.losses([(), [Part("attention", 2)]])
        >>> evaluator.pieces.evaluations  # three blocks, and the last one again
        4
    """

    def __init__(
        self,
        model: Transformer,
        batch: Batch,
        measure: str = "loss",
        pieces: Pieces | None = None,
    ):
        super().__init__(batch)
        self.model = model
        self.pieces = pieces or Pieces(model)
        chunks = [*in_chunks(batch.inputs, batch.targets.astype("int32"))]
        embedded = [self.pieces.embed(inputs) for inputs, _ in chunks]
        self._biases = [bias for _, bias in embedded]
        # A stream is a list here: of each chunk the sequences that are run at once.
        self._streams = Streams([x for x, _ in embedded], len(model.blocks))
        self._targets: list[Any] = [targets for _, targets in chunks]
        self._of: Callable = losses
        if measure == "divergence":
            self._targets, self._of = self._run(path(model.config)), divergences

    def loss(self, removed: Removed = ()) -> float:
        found = super().loss(removed)
        self._streams.judge(path(self.model.config, removed), found)
        return found

    def know(self, stream: Any) -> None:
        """Take the stream after the whole model's blocks from who has run them, on the
        sequences of the batch and perhaps more behind them."""
        rows = len(self._kept)
        if stream.shape[0] >= rows and len(self._biases) == 1:
            self._streams.add(path(self.model.config), [stream[:rows]])

    def losses(self, choices: Sequence[Removed]) -> list[float]:
        self._streams.expect(path(self.model.config, each) for each in choices)
        return super().losses(choices)

    def _each(self, removed: Removed) -> np.ndarray:
        chunks = self._run(path(self.model.config, removed))
        both = zip(chunks, self._targets, strict=True)
        return np.concatenate([self.pieces.head(self._of, *each) for each in both])

    def _run(self, wanted: Path) -> list[Any]:
        """The stream after the blocks of a path, run from where it is not known."""
        known, chunks = self._streams.longest(wanted)
        for length, (index, block) in enumerate(wanted[known:], start=known + 1):
            both = zip(chunks, self._biases, strict=True)
            chunks = [self.pieces.block(index, block, *each) for each in both]
            self._streams.add(wanted[:length], chunks)
        return chunks

    def _key(self, removed: Removed) -> tuple[bool, ...]:
        """Sorted by it, a choice stands beside those that begin with the same blocks,
        and after the whole model come those that differ from it late."""
        return tuple(
            Part(kind, index) in removed
            for index in range(len(self.model.blocks))
            for kind in KINDS
        )


class WholeEvaluator(Judge):
    """A `Judge` of any model that tells its logits; nothing is shared.

    Args:
        model: It is not changed.
        batch, measure: As for `Evaluator`.
        progress: Called with the number of sequences times that of blocks.
    """

    def __init__(
        self,
        model: Prunable,
        batch: Batch,
        measure: str = "loss",
        progress: Callable[[int], None] | None = None,
    ):
        super().__init__(batch)
        self._model, self._batch, self._progress = model, batch, progress
        self._of: Callable = losses
        self._references = [targets for _, targets in in_chunks(*batch)]
        if measure == "divergence":
            self._of, self._references = divergences, [*self._logits(())]

    def _each(self, removed: Removed) -> np.ndarray:
        both = zip(self._logits(removed), self._references, strict=True)
        found = ops.concatenate([self._of(ops.convert_to_tensor, *e) for e in both])
        return np.broadcast_to(ops.convert_to_numpy(found), self._kept.shape)

    def _logits(self, removed: Removed) -> Iterator[Any]:
        for tokens, _ in in_chunks(*self._batch):
            yield self._model.logits(tokens, removed)
            if self._progress is not None:
                self._progress(len(tokens) * len(self._model.config.blocks))


def perplexity(loss: float) -> float:
    """exp of a mean loss in nats, infinity where that is too large for a number.

    Example:
        >>> round(perplexity(math.log(50)), 6), perplexity(1e4)
        (50.0, inf)
    """
    return math.exp(loss) if loss < 709 else math.inf

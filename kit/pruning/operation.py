"""The steps that methods are made of; what they do is written into a record."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from kit.data import Batch
from kit.models import Transformer
from kit.pruning.allocation import check_sparsity, sparsity_of
from kit.pruning.calibration import Calibration, activities
from kit.pruning.evaluation import Evaluator, perplexity
from kit.pruning.greedy import remove_greedily
from kit.pruning.pieces import Pieces
from kit.pruning.record import Pruned, Record
from kit.pruning.scores import WITHOUT_DATA, Activity, best, score_neurons
from kit.pruning.surgery import Part, keep_neurons, remove_parts, smaller_config

MATRICES = ("up", "gate", "down")


class Operation:
    """A model while something is removed from it; the one given is not changed.

    A method calls `narrow` and `remove` or `remove_greedily`, then `finish`. Blocks are
    numbered as in `model`, the model at that time.

    Args:
        method: Name for the record.
        model: A kit model.
        calibration: A `Calibration`, or the data of one.
        sparsity: Share of the block parameters to remove.
        seed: Seed of whatever is random.
        progress: Called with the share of the work that is done.
        xla: See `Pieces`.

    Raises:
        KitError: The calibration data, the sparsity or the model are bad; nothing was
            done then.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> data = Calibration(np.ones((2, 12), "int32"), sequences=2)
        >>> operation = Operation("mine", build(config), data, sparsity=0.3)
        >>> operation.narrow(num_neurons=100)
        >>> operation.remove([Part("attention", 0)])
        >>> round(operation.finish().record.reached, 3)
        0.571
    """

    def __init__(
        self,
        method: str,
        model: Transformer,
        calibration: Any,
        sparsity: float,
        seed: int = 0,
        progress: Callable[[float], None] | None = None,
        xla: bool | None = None,
    ):
        self._start = time.perf_counter()
        check_sparsity(sparsity)
        self.calibration = Calibration.of(calibration)
        self.calibration.check(model.config)
        self._given, self.model, self.base = model, model, model.config
        self.sparsity, self.seed, self.xla = sparsity, seed, xla
        self.record = Record(method, sparsity)
        self._progress, self._expected, self._share = progress, 1, 0.0
        self.expect(2 * self.calibration.search_sequences * len(model.blocks))
        self.record.perplexity["before"] = perplexity(self.evaluator.dense())

    @cached_property
    def pieces(self) -> Pieces:
        """Of the model at this time."""
        return Pieces(self.model, self.xla, self._count)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Judges the model at this time on the search sequences."""
        return self.judge(self.calibration.search_batch)

    def judge(self, batch: Batch, measure: str = "loss") -> Evaluator:
        """An `Evaluator` of the model at this time."""
        return Evaluator(self.model, batch, measure, pieces=self.pieces)

    def narrow(self, num_neurons: int, score: str = "l2") -> None:
        """Keep the neurons with the highest scores in every feed-forward.

        Stage 1 of 2SSP: all scores are those of the model at this time, and nothing
        takes the place of what goes.

        Args:
            num_neurons: How many stay in each feed-forward.
            score: A name of `SCORES`.
        """
        with self.stage("neurons"):
            scores = self.neuron_scores(score)
            kept = {block: best(found, num_neurons) for block, found in scores.items()}
            self._continue_with(keep_neurons(self.model, kept))
            self.record.scores, self.record.neurons = scores, kept
            narrowed = perplexity(self.evaluator.loss())
            self.record.perplexity |= {"narrowed": narrowed, "after": narrowed}

    def neuron_scores(self, score: str = "l2") -> dict[int, np.ndarray]:
        """Block to the score of each neuron (neurons,), higher is kept."""
        weights, found = self.pieces.weights, {}
        if score not in WITHOUT_DATA:
            self.expect(self.calibration.sequences * len(self.model.blocks))
            found = activities(self.pieces, self.calibration)
        nothing = Activity.of(np.zeros((1, 1, 1)))
        return {
            index: score_neurons(
                score,
                found.get(index, nothing),
                {
                    name: np.asarray(weights[f"block_{index}/feed_forward/{name}"])
                    for name in MATRICES
                    if f"block_{index}/feed_forward/{name}" in weights
                },
                self.seed,
                index,
            )
            for index, block in enumerate(self.model.config.blocks)
            if block.feed_forward is not None
        }

    def remove_greedily(
        self, parts: Sequence[Part], enough: Callable[[list[Part]], bool]
    ) -> None:
        """Remove parts one by one; see `kit.pruning.remove_greedily`."""
        blocks = len(self.model.blocks)
        # Of a step's candidates each runs half of the blocks, on average.
        step = len(parts) * (blocks + 1) // 2 * self.calibration.search_sequences

        def is_done(gone: list[Part]) -> bool:
            done = enough(gone)
            self.expect(0 if done else step)
            return done

        with self.stage("parts"):
            removals = remove_greedily(self.evaluator, parts, is_done)
        self.record.removals += removals
        self.record.candidates += sum(len(each.candidates) for each in removals)
        self.remove([each.part for each in removals])

    def remove(self, parts: Sequence[Part]) -> None:
        """Remove attentions and feed-forwards."""
        if not parts:
            return
        with self.stage("surgery"):
            after = perplexity(self.evaluator.loss(parts))
            self._continue_with(remove_parts(self.model, parts))
        self.record.parts += parts
        self.record.perplexity["after"] = after

    def replace(self, model: Transformer) -> None:
        """Go on with a model that a method made by its own surgery."""
        self._continue_with(model)
        self.record.perplexity["after"] = perplexity(self.evaluator.loss())

    def reaches(self, parts: Collection[Part]) -> bool:
        """Whether the sparsity is reached without these parts."""
        config = smaller_config(self.model.config, parts)
        return sparsity_of(config, self.base) >= self.sparsity - 1e-9

    def finish(self) -> Pruned:
        """The smaller model, a new one in any case, and the record."""
        if self.model is self._given:
            self.model = remove_parts(self.model, [])
        self.record.reached = sparsity_of(self.model.config, self.base)
        self.record.perplexity.setdefault("after", self.record.perplexity["before"])
        self.record.seconds["all"] = time.perf_counter() - self._start
        if self._progress is not None:
            self._progress(1.0)
        return Pruned(self.model, self.record)

    def expect(self, evaluations: int) -> None:
        """Note that so many more evaluations of blocks lie ahead."""
        self._expected += evaluations

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the seconds that what is within takes."""
        start = time.perf_counter()
        yield
        seconds = self.record.seconds
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

    def _continue_with(self, model: Transformer) -> None:
        self.model = model
        for name in ("pieces", "evaluator"):  # made anew when they are asked for
            vars(self).pop(name, None)

    def _count(self, sequences: int) -> None:
        self.record.block_evaluations += sequences
        share = min(1.0, self.record.block_evaluations / self._expected)
        self._share = max(share, self._share)  # more may be expected than was
        if self._progress is not None:
            self._progress(self._share)

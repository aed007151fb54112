"""The steps that methods are made of; what they do is written into a record."""

import gc
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from kit.checks import whole
from kit.data import Batch
from kit.errors import KitError
from kit.models import Transformer
from kit.pruning.adapters import KitModel, Prunable, adapted, outline_without
from kit.pruning.allocation import check_sparsity, sparsity_of
from kit.pruning.calibration import Calibration, activities, whole_activities
from kit.pruning.evaluation import Evaluator, Judge, WholeEvaluator, perplexity
from kit.pruning.greedy import remove_greedily
from kit.pruning.outline import Part
from kit.pruning.pieces import Pieces
from kit.pruning.record import Pruned, Record
from kit.pruning.scores import WITHOUT_DATA, Activity, best, score_neurons
from kit.pruning.surgery import parts_of


class Operation:
    """A model while something is removed from it; the one given is not changed.

    A method calls `narrow` and `remove` or `remove_greedily`, then `finish`. Blocks are
    numbered as in `model`, the model at that time.

    Args:
        method: Name for the record.
        model: A kit model, or any `Prunable`.
        calibration: A `Calibration`, or the data of one.
        sparsity: Share of the block parameters to remove.
        seed: Seed of whatever is random.
        progress: Called with the share of the work that is done.

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
        model: Transformer | Prunable,
        calibration: Any,
        sparsity: float,
        seed: int = 0,
        progress: Callable[[float], None] | None = None,
    ):
        self._start = time.perf_counter()
        check_sparsity(sparsity)
        whole("seed", seed, least=0)
        given = Calibration.of(calibration)
        self.adapter = self._given = adapted(model)
        self._wide: Prunable = self._given  # what the next surgery begins with,
        self._kept: dict[int, list[int]] = {}  # and what has to stay of its neurons
        self.base = self.adapter.config
        given.check(self.base)
        self.calibration = given.without_padding(self.base.padding_id)
        self.sparsity, self.seed = sparsity, seed
        self.record = Record(method, sparsity)
        self._progress: Callable[[float], None] | None = None
        self._progress = progress
        self._expected, self._share = 1, 0.0
        self._steps = 0  # of a search, that are expected
        self.expect(self.calibration.search_sequences * len(self.base.blocks))
        self._first: Pieces | None = None  # what is compiled for them serves on
        if not isinstance(self.adapter, KitModel):  # nothing is shared: look now
            self._look_before()

    @property
    def model(self) -> Any:
        """The model at this time, as it was given: a kit model, or a `Prunable`."""
        adapter = self.adapter
        return adapter.model if isinstance(adapter, KitModel) else adapter

    @cached_property
    def pieces(self) -> Pieces:
        """Of the model at this time; what was compiled before is used again.

        Raises:
            KitError: It is no kit model.
        """
        if not isinstance(self.adapter, KitModel):
            raise KitError(
                f"{self.record.method!r} reads the stream between the blocks, and a "
                f"{type(self.adapter).__name__} does not tell it",
                'Use another method, such as "2ssp", or a model of kit.models.build',
            )
        model = self.adapter.model
        pieces = Pieces(model, self._count, before=self._first)
        self._first = self._first or pieces
        return pieces

    @cached_property
    def evaluator(self) -> Judge:
        """Judges the model at this time on the search sequences."""
        return self._judge(self.calibration.search_batch)

    def judge(self, batch: Batch, measure: str = "loss") -> Judge:
        """A `Judge` of the model at this time."""
        self._look_before()
        return self._judge(batch, measure)

    def _judge(self, batch: Batch, measure: str = "loss") -> Judge:
        if isinstance(self.adapter, KitModel):
            return Evaluator(self.adapter.model, batch, measure, pieces=self.pieces)
        return WholeEvaluator(self.adapter, batch, measure, self._count)

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
            wide = self.adapter
            self._continue_with(wide.smaller(kept, []))
            self._wide, self._kept = wide, kept
            self.record.scores, self.record.neurons = scores, kept
            narrowed = perplexity(self.evaluator.loss())
            self.record.perplexity |= {"narrowed": narrowed, "after": narrowed}

    def neuron_scores(self, score: str = "l2") -> dict[int, np.ndarray]:
        """Block to the score of each neuron (neurons,), higher is kept."""
        found: dict[int, Activity] = {}
        if score not in WITHOUT_DATA:
            self.expect(self.calibration.sequences * len(self.adapter.config.blocks))
            if isinstance(self.evaluator, Evaluator):
                know = self.evaluator.know
                found = activities(self.pieces, self.calibration, know)
            else:
                found = whole_activities(self.adapter, self.calibration, self._count)
        self._look_before()
        nothing = Activity.of(np.zeros((1, 1, 1)))
        return {
            part.block: score_neurons(
                score,
                found.get(part.block, nothing),
                self.adapter.weights(part),
                self.seed,
                part.block,
            )
            for part in parts_of(self.adapter.config, "feed_forward")
        }

    def remove_greedily(
        self, parts: Sequence[Part], enough: Callable[[list[Part]], bool]
    ) -> None:
        """Remove parts one by one; see `kit.pruning.remove_greedily`."""

        def is_done(gone: list[Part]) -> bool:
            done = enough(gone)
            if not done and len(gone) >= self._steps:
                self.expect_removals(1, parts)
            return done

        self._look_before()
        with self.stage("parts"):
            removals = remove_greedily(self.evaluator, parts, is_done)
        self.record.removals += removals
        self.record.candidates += sum(len(each.candidates) for each in removals)
        self.remove([each.part for each in removals])

    def remove(self, parts: Sequence[Part]) -> None:
        """Remove attentions and feed-forwards."""
        if not parts:
            return
        self._look_before()
        with self.stage("surgery"):
            after = perplexity(self.evaluator.loss(parts))
            wide, kept = self._wide, self._kept
            if kept:  # the narrow model goes before the next one comes
                self._continue_with(wide)
                gc.collect()
            self._continue_with(wide.smaller(kept, parts))
        self.record.parts += parts
        self.record.perplexity["after"] = after

    def replace(self, model: Transformer) -> None:
        """Go on with a model that a method made by its own surgery."""
        self._look_before()
        self._continue_with(KitModel(model))
        self.record.perplexity["after"] = perplexity(self.evaluator.loss())

    def reaches(self, parts: Collection[Part]) -> bool:
        """Whether the sparsity is reached without these parts."""
        config = outline_without(self.adapter.config, parts)
        return sparsity_of(config, self.base) >= self.sparsity - 1e-9

    def finish(self) -> Pruned:
        """The smaller model, a new one in any case, and the record."""
        self._look_before()
        if self.adapter is self._given:
            self.adapter = self.adapter.smaller({}, [])
        self.record.reached = sparsity_of(self.adapter.config, self.base)
        self.record.perplexity.setdefault("after", self.record.perplexity["before"])
        self.record.seconds["all"] = time.perf_counter() - self._start
        if self._progress is not None:
            self._progress(1.0)
        return Pruned(self.model, self.record)

    def expect_removals(self, count: int, parts: Sequence[Part]) -> None:
        """Note that so many more of the parts will be removed one by one."""
        blocks = len(self.adapter.config.blocks)
        for step in range(self._steps, self._steps + count):
            share = 1.0
            if isinstance(self.adapter, KitModel):  # what `Streams` cannot save
                share = 0.4 if step else 0.5
            evaluations = share * blocks * self.calibration.search_sequences
            self.expect(round((len(parts) - step) * evaluations))
        self._steps += count

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

    def _look_before(self) -> None:
        """Note the perplexity of the model as it was given, before anything goes."""
        if "before" in self.record.perplexity:
            return
        # No progress: the method has not said yet what lies ahead.
        progress, self._progress = self._progress, None
        done = self.record.block_evaluations
        self.record.perplexity["before"] = perplexity(self.evaluator.dense())
        self.expect(self.record.block_evaluations - done)
        self._progress = progress

    def _continue_with(self, adapter: Prunable) -> None:
        self.adapter = self._wide = adapter
        self._kept = {}
        for name in ("pieces", "evaluator"):  # made anew when they are asked for
            vars(self).pop(name, None)

    def _count(self, sequences: int) -> None:
        self.record.block_evaluations += sequences
        share = min(1.0, self.record.block_evaluations / self._expected)
        if self._progress is not None:
            self._share = max(share, self._share)  # more may be expected than was
            self._progress(self._share)

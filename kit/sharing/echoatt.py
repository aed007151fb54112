"""The three steps of EchoAtt (2409.14595) in one: attend, copy, adjust."""

import gc
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

from kit.checks import whole
from kit.data import Task
from kit.errors import KitError, known
from kit.models import Transformer
from kit.sharing.distillation import STAGE, adjust, distil
from kit.sharing.heads import match_heads
from kit.sharing.losses import DistillationConfig
from kit.sharing.measures import MEASURES
from kit.sharing.record import Choice, Record, Shared, explain
from kit.sharing.selection import RULES, Copies, by_list, choose, copies_at_rate
from kit.sharing.share import Heads, saved_by, savings_of, share
from kit.sharing.similarity import MapSimilarity, attention_blocks, map_similarity
from kit.training import TrainConfig, evaluate
from kit.training.continued import Continued
from kit.training.fit import check_fit

Progress = Callable[[str], AbstractContextManager[Callable[[float], None]]]


def stage(
    steps: int, batch_size: int = STAGE.batch_size, learning_rate: float = 1e-4
) -> TrainConfig | None:
    """`STAGE` with other numbers; `None` where there are no steps.

    It is evaluated four times or a little more often, where that divides the steps.

    Example:
        >>> stage(50).evaluate_every, stage(200) == STAGE, stage(0)
        (10, True, None)
    """
    if not whole("steps", steps, least=0):
        return None
    times = next((n for n in range(4, 11) if steps % n == 0), 1)
    return replace(
        STAGE,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=steps * STAGE.warmup_steps // STAGE.steps,
        evaluate_every=steps // times,
    )


ADJUSTING = stage(STAGE.steps // 4)
"""A quarter of the distillation, as in the paper."""


def attend_copy_adjust(
    model: Transformer,
    task: Task,
    rate: float = 0.4,
    *,
    rule: str = "most-similar",
    blocks: Collection[int] | None = None,
    measure: str = "cosine",
    sequences: int = 16,
    match: bool = False,
    distilling: TrainConfig | None = STAGE,
    adjusting: TrainConfig | None = ADJUSTING,
    losses: DistillationConfig | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Shared:
    """Find the attention maps that are alike, copy them, and train what is left.

    Attend: how alike the maps are says which blocks copy, from the nearest earlier
    block that does not. Copy: they lose their queries and keys. Adjust: the smaller
    model learns from the one before, and then from the data.

    Args:
        model: A kit model; it is not changed.
        task: Its training data choose and train, its held-out data judge.
        rate: The share of the blocks with attention that copy in the end.
        rule: How they are chosen: a name of `RULES`.
        blocks: Takes the place of both: the blocks that copy.
        measure: Of the similarity: a name of `MEASURES`; the paper's by default.
        sequences: How many are looked at to find what is alike.
        match: Give each head the map that suits it best, and not that of its number.
        distilling: How stage 1 is trained; `None` leaves it out.
        adjusting: Likewise stage 2.
        losses: Of stage 1; the paper's by default.
        seed: Of the data, of dropout, and of the rule `"random"`.
        progress: Opens a bar by the name of a step: a context manager that gives a
            function of the share done.

    Returns:
        A new model, and a `Record`. Where it was trained it is in float32, or in
        mixed bfloat16 by `TrainConfig.precision`, whatever the given model is in.

    Raises:
        KitError: Something given is bad, model and task do not fit, or training
            diverged.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     4, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> model, record = attend_copy_adjust(
        ...     build(config), task, 0.5, distilling=None, adjusting=None
        ... )
        >>> len(record.copies), record.saved == record.formula, list(record.losses)
        (2, True, ['before', 'copied'])
    """
    known("measure", measure, MEASURES)
    chosen_by = _rule(model, rate, rule, blocks, seed)
    check_fit(model.config, task, task.validation())
    record = Record(rate, rule, measure)
    if blocks is not None:
        record.rate, record.rule = None, "named"
    work = _Work(record, progress)
    tokens = task.batch(0, whole("sequences", sequences), seed).inputs
    with work.step("attending") as report:
        similarity = map_similarity(model, tokens, seed=seed, progress=report)
    copies = chosen_by(similarity.scores(measure))
    with work.step("copying") as report:
        heads = match_heads(model, copies, tokens, report) if match else {}
        student = share(model, copies, heads)
    work.note(model, student, similarity, copies, heads, task.context_length)
    with work.step("judging") as report:
        record.losses["before"] = evaluate(model, task, report)["loss"]
    if distilling is not None:
        with work.step("distilling") as report:
            found = distil(
                student, model, task, distilling, losses, seed=seed, progress=report
            )
        student = work.trained("distilled", found)
    if adjusting is not None:
        with work.step("adjusting") as report:
            found = adjust(student, task, adjusting, seed=seed, progress=report)
        student = work.trained("adjusted", found)
    if not record.history:
        with work.step("judging") as report:
            record.losses["copied"] = evaluate(student, task, report)["loss"]
    return Shared(student, work.done())


def _rule(
    model: Transformer,
    rate: float,
    rule: str,
    blocks: Collection[int] | None,
    seed: int,
) -> Callable[[dict[int, float]], Copies]:
    """From scores to copies; what cannot be is an error before there are scores."""
    known("rule", rule, RULES)
    owners = _owners(model)
    if blocks is not None:
        before = _copies(model)
        for block in {*blocks} & {*before}:
            raise KitError(
                f"block {block} copies the map of block {before[block]} already",
                "Name blocks with a map of their own",
            )
        named = by_list(blocks, owners)
        return lambda scores: named
    count = _count(model, rate)
    return lambda scores: choose({b: scores[b] for b in owners}, count, rule, seed)


class _Work:
    """Steps that are shown, timed and written down."""

    def __init__(self, record: Record, progress: Progress | None):
        self.record, self.progress = record, progress or _silent
        self.start = time.perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[float], None]]:
        start, seconds = time.perf_counter(), self.record.seconds
        with self.progress(name) as report:
            yield report
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

    def note(
        self,
        model: Transformer,
        student: Transformer,
        similarity: MapSimilarity,
        copies: Copies,
        heads: Heads,
        length: int,
    ) -> None:
        """Write down who copies from whom, why, and what that saves."""
        record, before = self.record, _copies(model)
        scores = similarity.scores(record.measure)
        null = similarity.null_scores(record.measure)
        owned = {block: scores[block] for block in _owners(model)}
        why, now = explain(record.rule, owned, copies, before), _copies(student)
        record.similarity, record.heads = similarity, dict(heads)
        record.choices = [
            Choice(block, scores[block], null[block], now.get(block), why[block])
            for block in similarity.blocks
        ]
        record.reached = len(now) / len(similarity.blocks)
        record.saved = saved_by(model, student, length)
        record.formula = savings_of(model.config, copies, length)

    def trained(self, name: str, found: Continued) -> Transformer:
        """The student after a stage; the one before it makes room for the next."""
        if found.run.status == "diverged":
            raise KitError(
                f"the training diverged: its loss is out of bounds after "
                f"{found.run.steps} steps",
                "Use a lower learning rate",
            )
        self.record.note(name, found)
        gc.collect()
        return found.model

    def done(self) -> Record:
        self.record.seconds["all"] = time.perf_counter() - self.start
        return self.record


def _silent(name: str) -> AbstractContextManager[Callable[[float], None]]:
    return nullcontext(lambda share: None)


def _copies(model: Transformer) -> Copies:
    """Block to the block whose map it copies."""
    return {
        index: block.copies_map_from
        for index, block in enumerate(model.config.blocks)
        if block.copies_map_from is not None
    }


def _owners(model: Transformer) -> list[int]:
    """The blocks with a map of their own."""
    return [b for b in attention_blocks(model) if b not in _copies(model)]


def _count(model: Transformer, rate: float) -> int:
    """How many blocks copy at a rate, besides those that do."""
    blocks, before = attention_blocks(model), len(_copies(model))
    count = copies_at_rate(rate, blocks)
    if rate and count <= before:
        left = len(blocks) - 1 - before
        raise KitError(
            f"rate={rate:g} of {len(blocks)} blocks with attention are {count}, and "
            f"{before} copy already",
            "Use a higher rate" if left else "Use rate 0 to train it: no more can copy",
        )
    return max(count - before, 0)

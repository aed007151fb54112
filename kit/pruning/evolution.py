"""EvoPress (2410.14649): an evolutionary search for which parts to remove."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.checks import whole
from kit.data import IGNORED, Batch
from kit.errors import KitError, known
from kit.pruning.allocation import NotReached
from kit.pruning.calibration import in_chunks
from kit.pruning.operation import Operation
from kit.pruning.surgery import KINDS, Part, parts_of

MEASURES = ("divergence", "loss")
MOST_MUTATIONS = 3
TRIES = 100  # for an offspring that is not there yet; in a small model all may be

Gone = frozenset[Part]


def mutated(gone: Gone, parts: Sequence[Part], generator: np.random.Generator) -> Gone:
    """Level switch: a part that is gone and one of its kind that is not change places.

    The number of attentions and that of feed-forwards stay as they are. There are 1 to
    3 switches, the smaller of two draws.

    Args:
        gone: The parent.
        parts: All parts, gone or not.
        generator: Draws.

    Example:
        >>> parts = [Part("attention", 0), Part("attention", 1)]
        >>> child = mutated(frozenset(parts[:1]), parts, np.random.default_rng(0))
        >>> len(child)
        1
    """
    switches = generator.integers(1, MOST_MUTATIONS, endpoint=True, size=2).min()
    for _ in range(switches):
        kind = KINDS[generator.integers(len(KINDS))]
        out = sorted(part for part in parts if part.kind == kind and part in gone)
        there = sorted(part for part in parts if part.kind == kind and part not in gone)
        if out and there:
            back = out[generator.integers(len(out))]
            leaves = there[generator.integers(len(there))]
            gone = gone - {back} | {leaves}
    return gone


def evopress(
    operation: Operation,
    generations: int | None = None,
    offspring: int = 32,
    initial: int = 64,
    survivors: Sequence[int] = (2, 1),
    tokens: Sequence[int] = (2048, 32_768),
    initial_tokens: int = 2048,
    measure: str = "divergence",
) -> None:
    """Search for the attentions and as many feed-forwards whose loss hurts least.

    Each generation mutates the best so far, and selects in stages: fewer survivors on
    more tokens, drawn anew each time. In the last stage the parents compete too. The
    defaults are those of the authors' script for removing parts.

    Args:
        operation: What to prune. The tokens come from its calibration sequences.
        generations: `None` for k (B - k) / 1.5, with k of B parts of a kind to remove.
        offspring: Children of a generation.
        initial: Random choices from which the first parent is selected.
        survivors: How many survive each stage of a selection.
        tokens: On how many tokens each stage looks, in whole sequences; at most all.
        initial_tokens: The same for the first parent.
        measure: `"divergence"` from the whole model's predictions, or `"loss"`.

    Raises:
        NotReached: There are too few parts of a kind.
        KitError: A setting is unknown or no whole number, or they do not fit together.
    """
    known("measure", measure, MEASURES)
    survivors, tokens = _stages("survivors", survivors), _stages("tokens", tokens)
    initial, offspring = whole("initial", initial), whole("offspring", offspring)
    whole("initial_tokens", initial_tokens)
    if len(survivors) != len(tokens) or not survivors:
        raise KitError(
            f"survivors={survivors} and tokens={tokens} are not one number for each "
            "stage",
            "Give both the same length, such as (2, 1) and (2048, 32768)",
        )
    parts = parts_of(operation.model.config)
    count = _count(operation, parts)
    blocks = len(parts_of(operation.model.config, KINDS[0]))
    if generations is None:
        generations = int(count * (blocks - count) / 1.5)
    whole("generations", generations, least=0)
    search = _Search(operation, measure)
    search.expect(initial, initial_tokens)
    for number, size in zip((offspring, *survivors), tokens, strict=False):
        search.expect(generations * number, size)

    def several(amount: int, draw: Any, known_ones: Sequence[Gone] = ()) -> list[Gone]:
        found: list[Gone] = []
        for _ in range(TRIES * amount):
            child = draw()
            if child not in found and child not in known_ones:
                found.append(child)
            if len(found) == amount:
                break
        return found

    def at_random() -> Gone:
        return frozenset(
            Part(kind, int(block))
            for kind in KINDS
            for block in search.generator.choice(
                [part.block for part in parts if part.kind == kind], count, False
            )
        )

    def child() -> Gone:
        parent = population[search.generator.integers(len(population))]
        return mutated(parent, parts, search.generator)

    with operation.stage("parts"):
        population = search.select(
            several(initial, at_random), survivors[-1], initial_tokens
        )
        for _ in range(generations):
            children = several(offspring, child, population)
            for stage, (number, size) in enumerate(zip(survivors, tokens, strict=True)):
                if stage == len(survivors) - 1:
                    children += [each for each in population if each not in children]
                children = search.select(children, number, size)
            population = children
    operation.remove(sorted(population[0], key=lambda part: part[::-1]))


class _Search:
    """Selections on sequences that are drawn anew for each."""

    def __init__(self, operation: Operation, measure: str):
        self.operation, self.measure = operation, measure
        self.generator = np.random.default_rng(operation.seed)
        batch = operation.calibration.batch
        told = (batch.targets != IGNORED).any(axis=1)
        told[operation.calibration.sequences :] = False
        self.batch = Batch(*(array[told] for array in batch))

    def rows(self, tokens: int) -> int:
        """Sequences that hold so many tokens; at most all."""
        inputs = self.batch.inputs
        return min(-(-tokens // inputs.shape[1]), len(inputs))

    def expect(self, choices: int, tokens: int) -> None:
        """Note the work ahead; half of the blocks are shared, or so."""
        blocks = len(self.operation.model.config.blocks)
        self.operation.expect(choices * self.rows(tokens) * (blocks + 1) // 2)

    def select(self, choices: list[Gone], survivors: int, tokens: int) -> list[Gone]:
        """The best choices, best first, judged on some tokens."""
        count = len(self.batch.inputs)
        rows = np.sort(self.generator.choice(count, self.rows(tokens), replace=False))
        found = np.zeros(len(choices))  # sums, in the order of means
        for drawn in in_chunks(*(array[rows] for array in self.batch)):
            told = (drawn[1] != IGNORED).sum()
            # A judge for each: its streams go before the next one comes.
            losses = self.operation.judge(Batch(*drawn), self.measure).losses(choices)
            found += told * np.array(losses)
        self.operation.record.candidates += len(choices)
        order = np.argsort(found, kind="stable")
        return [choices[i] for i in order[:survivors]]


def _stages(name: str, values: Sequence[int]) -> list[int]:
    try:
        numbers = list(values)
    except TypeError:
        raise KitError(
            f"{name}={values!r} is not one whole number for each stage",
            "Give a tuple, such as (2, 1)",
        ) from None
    return [whole(f"{name}[{place}]", each) for place, each in enumerate(numbers)]


def _count(operation: Operation, parts: list[Part]) -> int:
    """The fewest parts of each kind without which the sparsity is reached."""
    by_kind = [[part for part in parts if part.kind == kind] for kind in KINDS]
    for count in range(min(map(len, by_kind)) + 1):
        if operation.reaches([part for kind in by_kind for part in kind[:count]]):
            return count
    raise NotReached(
        f"sparsity={operation.sparsity:g} is not reached by as many attentions as "
        "feed-forwards",
        "Use a lower sparsity, or another method",
    )

"""The best that a permutation-invariant predictor can do on n-digit addition.

Without positions a full-mask Transformer reads its prompt as a multiset of tokens
(arXiv 2402.05969, section 1; the same holds for one causal layer). All pairs of
operands are few enough to enumerate, so its ceilings are exact numbers. A model
that beats one of them, beyond sampling noise, sees something it should not.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from kit.errors import KitError

COUNT_BASE = 16  # a digit occurs less than 16 times in a prompt with its answer
MASKS = ("full", "prefix")


@dataclass(frozen=True)
class Ceilings:
    """Exact optima over all `num_pairs` equally likely operand pairs.

    Attributes:
        num_pairs: Number of operand pairs, `100 ** digits`.
        num_multisets: Number of distinct prompts once order is forgotten.
        num_exact: Pairs answered right by the best rule from multiset to answer.
        digit_accuracies: Teacher-forced, for each answer digit as it is written.
        digit_cross_entropies: Conditional entropy of each answer digit, in nats.
    """

    digits: int
    zero_padding: bool
    reverse: bool
    mask: str
    num_pairs: int
    num_multisets: int
    num_exact: int
    digit_accuracies: tuple[float, ...]
    digit_cross_entropies: tuple[float, ...]

    @property
    def exact_match(self) -> float:
        """Largest share of pairs whose whole answer can be right."""
        return self.num_exact / self.num_pairs

    @property
    def token_accuracy(self) -> float:
        """Largest teacher-forced accuracy, averaged over the answer digits."""
        return float(np.mean(self.digit_accuracies))

    @property
    def cross_entropy(self) -> float:
        """Smallest teacher-forced loss in nats per answer digit."""
        return float(np.mean(self.digit_cross_entropies))


@cache
def bayes_ceilings(
    digits: int = 3,
    zero_padding: bool = True,
    reverse: bool = False,
    mask: str = "full",
) -> Ceilings:
    """Enumerate all operand pairs and return the ceilings of an invariant predictor.

    The answer always has `digits + 1` digits. `mask` names what the predictor of
    answer digit k knows:

    - `"full"`: the last token, and the multiset of *all* tokens before it, earlier
      answer digits included. This is a full mask with one target in each forward
      pass, and also a causal mask with a single layer.
    - `"prefix"`: the multiset of the prompt, and the earlier answer digits in order.
      This is a full mask over the prompt and a causal one over the answer.

    Args:
        digits: Digits in each operand, 1 to 3.
        zero_padding: Whether short operands are filled up with zeros.
        reverse: Whether the answer is written least significant digit first.
        mask: `"full"` or `"prefix"`.

    Raises:
        KitError: If `digits` or `mask` is none of the above.

    Example:
        >>> ceilings = bayes_ceilings(digits=3)
        >>> ceilings.num_multisets, ceilings.num_exact
        (5005, 53192)
        >>> f"{ceilings.exact_match:.2%}, {ceilings.cross_entropy:.2f} nats"
        '5.32%, 1.06 nats'
    """
    if mask not in MASKS:
        raise KitError(
            f"mask={mask!r} has no known ceiling, expected one of {MASKS}",
            'Take "full" for one causal layer; deeper causal ones have no ceiling',
        )
    multisets, sums, pairs = _enumerate(digits, zero_padding)
    answers = answer_digits(sums, digits, reverse)  # (cases, digits + 1)
    accuracies, cross_entropies = [], []
    known = multisets
    for k, target in enumerate(answers.T):
        last = answers[:, k - 1] if k and mask == "full" else 0
        counts = _count_table(known * 10 + last, target, pairs)
        accuracies.append(float(counts.max(axis=1).sum() / pairs.sum()))
        cross_entropies.append(_conditional_entropy(counts))
        known = known + COUNT_BASE**target if mask == "full" else known * 10 + target
    best = _best_sums(digits, zero_padding)
    return Ceilings(
        digits,
        zero_padding,
        reverse,
        mask,
        num_pairs=int(pairs.sum()),
        num_multisets=len(best.multisets),
        num_exact=int(best.pairs.sum()),
        digit_accuracies=tuple(accuracies),
        digit_cross_entropies=tuple(cross_entropies),
    )


def best_invariant_answer(
    first: np.ndarray, second: np.ndarray, digits: int = 3, zero_padding: bool = True
) -> np.ndarray:
    """Answer like the best predictor that does not know the order of its prompt.

    Of all sums that the prompt's multiset allows it says the most frequent one (the
    smallest of equals), so it reaches the `exact_match` of `bayes_ceilings` exactly.

    Args:
        first: First operands, integers in `[0, 10 ** digits)`, any shape.
        second: Second operands, same shape.
        digits: Digits in each operand, 1 to 3.
        zero_padding: Whether short operands are filled up with zeros.

    Returns:
        The predicted sums, same shape.

    Raises:
        KitError: If an operand has more than `digits` digits or is negative.

    Example:
        >>> best_invariant_answer(np.array([1, 20]), np.array([2, 10]), digits=2)
        array([12, 12])
    """
    first, second = np.broadcast_arrays(first, second)
    if (
        min(first.min(), second.min()) < 0
        or max(first.max(), second.max()) >= 10**digits
    ):
        raise KitError(
            f"operands outside [0, {10**digits}) for digits={digits}",
            "Pass non-negative operands with at most that many digits",
        )
    best = _best_sums(digits, zero_padding)
    keys = _operand_key(first, digits, zero_padding) + _operand_key(
        second, digits, zero_padding
    )
    return best.sums[np.searchsorted(best.multisets, keys)]


def answer_digits(sums: np.ndarray, digits: int, reverse: bool) -> np.ndarray:
    """Digits of `sums`, zero-padded to `digits + 1`: (cases,) -> (cases, digits + 1).

    Example:
        >>> answer_digits(np.array([57, 1998]), digits=3, reverse=False)
        array([[0, 0, 5, 7],
               [1, 9, 9, 8]])
    """
    powers = 10 ** np.arange(digits + 1)
    written = sums[:, None] // powers % 10
    return written if reverse else written[:, ::-1]


class _Cases(NamedTuple):
    """Distinct (multiset, sum) pairs in ascending order; all arrays are (cases,)."""

    multisets: np.ndarray
    sums: np.ndarray
    pairs: np.ndarray


@cache
def _enumerate(digits: int, zero_padding: bool) -> _Cases:
    if digits not in (1, 2, 3):
        raise KitError(
            f"digits={digits!r} is not 1, 2 or 3",
            "Enumerate at most 10^6 pairs: 3 digits in each operand",
        )
    operands = np.arange(10**digits)
    keys = _operand_key(operands, digits, zero_padding)
    size = 2 * 10**digits  # every sum is smaller
    multisets = np.add.outer(keys, keys)
    sums = np.add.outer(operands, operands)
    cases, pairs = np.unique(multisets * size + sums, return_counts=True)
    return _Cases(cases // size, cases % size, pairs)


@cache
def _best_sums(digits: int, zero_padding: bool) -> _Cases:
    """The most frequent sum of each multiset; `pairs` counts where it is right."""
    multisets, sums, pairs = _enumerate(digits, zero_padding)
    order = np.lexsort((sums, -pairs, multisets))  # best case of a multiset first
    _, first = np.unique(multisets, return_index=True)
    best = order[first]
    return _Cases(multisets[best], sums[best], pairs[best])


def _operand_key(operand: np.ndarray, digits: int, zero_padding: bool) -> np.ndarray:
    """Multiset of an operand's digits as one integer: the sum of COUNT_BASE ** digit.

    Keys add up when multisets join, which is all that an invariant predictor sees.
    """
    powers = 10 ** np.arange(digits)
    weights = COUNT_BASE ** (operand[..., None] // powers % 10)
    if zero_padding:
        return weights.sum(axis=-1)
    written = (operand[..., None] >= powers) | (powers == 1)
    return np.where(written, weights, 0).sum(axis=-1)


def _count_table(
    contexts: np.ndarray, targets: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """Number of operand pairs by distinct context and target digit: (contexts, 10)."""
    distinct, rows = np.unique(contexts, return_inverse=True)
    cells = np.bincount(rows * 10 + targets, pairs, minlength=10 * len(distinct))
    return cells.reshape(-1, 10)


def _conditional_entropy(counts: np.ndarray) -> float:
    """Entropy in nats of the target given the context, from a table of counts."""
    given = counts.sum(axis=1, keepdims=True)
    surprise = np.log(given / np.maximum(counts, 1))  # unused where the count is 0
    return float((counts * surprise).sum() / counts.sum())

"""n-digit addition as a language: `"123+456=0579"`."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kit.checks import check_flag, check_whole
from kit.data.batch import IGNORED, Batch, Scores, generator, token_metrics
from kit.data.digits import spell
from kit.errors import KitError, known

SYMBOLS = (*"0123456789", "+", "=", "<end>", "<pad>")
PLUS, EQUALS, END, PAD = 10, 11, 12, 13
# Beyond every training step, so that the split never shares a random stream with one.
SPLIT = 2**62


@dataclass(frozen=True)
class Addition:
    """Addition of two numbers below 10^digits.

    A pair and its mirror (a + b and b + a) are never split over training and
    validation. Training pairs are drawn uniformly from all others.

    Args:
        digits: Digits per operand.
        zero_padding: Fixed width, `"007+015=0022"`; else `"7+15=22<end>"`.
        reverse_answer: Write the answer's lowest digit first.
        start: Open every sequence with `<end>`, which then separates sequences. It is
            the same in all of them, and tells an order-blind model nothing.
        loss_on: `"answer"`, or `"all"` tokens. Validation always scores the answer.
        protocol: `"sequence"` learns all targets of a sequence in one pass;
            `"next_token"` learns one target a pass, with everything after it padded
            away, so that a full mask cannot see the answer. It needs a model with
            `padding_id=PAD`.
        validation_pairs: Held-out pairs.
        training_pairs: Size of a fixed training set; `None` for an endless stream.
        split_seed: Seed of the split.

    Raises:
        KitError: A value is out of range, or there are fewer pairs than asked for.

    Example:
        >>> task = Addition(digits=2, validation_pairs=10)
        >>> inputs, targets = task.encode([7], [15])
        >>> task.text(inputs[0]), targets[0].tolist()
        ('07+15=02', [-1, -1, -1, -1, -1, 0, 2, 2])
    """

    digits: int = 3
    zero_padding: bool = True
    reverse_answer: bool = False
    start: bool = False
    loss_on: str = "answer"
    protocol: str = "sequence"
    validation_pairs: int = 2000
    training_pairs: int | None = None
    split_seed: int = 0

    vocabulary_size = len(SYMBOLS)

    def __post_init__(self) -> None:
        known("value for loss_on:", self.loss_on, ("answer", "all"))
        known("value for protocol:", self.protocol, ("sequence", "next_token"))
        for name in ("digits", "validation_pairs", "training_pairs"):
            check_whole(self, name)
        check_whole(self, "split_seed", least=0)
        for name in ("zero_padding", "reverse_answer", "start"):
            check_flag(self, name)
        if self.digits > 9:
            raise KitError(f"digits={self.digits} is not in 1 to 9", "Use 1 to 9")
        if self.protocol == "next_token" and self.loss_on == "all":
            raise KitError(
                'protocol="next_token" clashes with loss_on="all": it learns one '
                "answer token a pass",
                'Use loss_on="answer"',
            )
        limit = self.limit * (self.limit + 1) // 2
        training = 1 if self.training_pairs is None else self.training_pairs
        if self.validation_pairs + training > limit:
            raise KitError(
                f"{self.validation_pairs + training} pairs were asked for, and "
                f"{self.digits}-digit addition has {limit} different ones",
                "Lower validation_pairs or training_pairs, or use more digits",
            )

    @property
    def limit(self) -> int:
        """One more than the largest operand."""
        return 10**self.digits

    @property
    def prompt_length(self) -> int:
        """Tokens of a zero-padded prompt, up to the equals sign."""
        return self.start + 2 * self.digits + 2

    @property
    def answer_length(self) -> int:
        """Most answer tokens, with the end token where there is one."""
        return self.digits + 1 + (not self.zero_padding)

    @property
    def context_length(self) -> int:
        """Tokens that a model reads: all but the last."""
        return self.prompt_length + self.answer_length - 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings and the held-out pairs."""
        settings = json.dumps(asdict(self), sort_keys=True).encode()
        return hashlib.sha256(settings + self._held_out.tobytes()).hexdigest()

    def spec(self) -> dict[str, Any]:
        """Plain data for JSON; `Addition(**spec)` without `"task"` is its inverse."""
        return {"task": "addition", **asdict(self)}

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """Training sequences of one step; see `kit.data.Task`."""
        rng = generator(seed, step)
        if self.training_pairs is not None:
            pairs = self._fixed_pairs[
                rng.integers(self.training_pairs, size=batch_size)
            ]
            a, b = pairs.T
        else:
            a, b = self._draw(rng, batch_size)
        batch = self.encode(a, b, self.loss_on)
        if self.protocol == "next_token":
            batch = _keep_one(batch, rng.random(batch_size))
        return batch

    def validation(self) -> Batch:
        """The held-out pairs; with `"next_token"`, each pair once per answer token."""
        batch = self.encode(*self._validation_operands)
        if self.protocol == "sequence":
            return batch
        shares = (np.arange(self.answer_length) + 0.5) / self.answer_length
        rows = [_keep_one(batch, share, self.answer_length) for share in shares]
        shape = (-1, self.context_length)
        return Batch(
            np.stack([row.inputs for row in rows], axis=1).reshape(shape),
            np.stack([row.targets for row in rows], axis=1).reshape(shape),
        )

    def metrics(self, scores: Scores, targets: np.ndarray) -> dict[str, float]:
        """Token metrics, exact match, and accuracy and loss of each answer token.

        Exact match is that of greedy decoding: greedy decoding gives the whole
        answer exactly when, with the true answer so far, each next token is right.
        Answer tokens are numbered as they are written.
        """
        metrics = token_metrics(scores, targets)
        wrong = ((targets != IGNORED) & ~scores.correct).reshape(
            self.validation_pairs, -1
        )
        metrics["exact_match"] = float(np.mean(~wrong.any(axis=1)))
        kept = (targets != IGNORED).reshape(self.validation_pairs, -1)
        order = np.cumsum(kept, axis=1)
        for index in range(self.answer_length):
            here = kept & (order == index + 1)
            if not here.any():
                break
            correct = scores.correct.reshape(kept.shape)[here]
            loss = scores.loss.reshape(kept.shape)[here]
            metrics[f"digit_{index}_accuracy"] = float(np.mean(correct))
            metrics[f"digit_{index}_loss"] = float(np.mean(loss, dtype="float64"))
        return metrics

    def encode(self, a: Any, b: Any, loss_on: str = "answer") -> Batch:
        """Inputs and targets of a + b, for two arrays of operands.

        Raises:
            KitError: The arrays differ in length, or an operand is not a whole number
                of at most `digits` digits.

        Example:
            >>> task = Addition(digits=1, reverse_answer=True, validation_pairs=5)
            >>> inputs, targets = task.encode([7, 9], [5, 0])
            >>> [task.text(row) for row in inputs]
            ['7+5=2', '9+0=9']
            >>> targets.tolist()
            [[-1, -1, -1, 2, 1], [-1, -1, -1, 9, 0]]
        """
        a, b = np.asarray(a), np.asarray(b)
        self._check_operands(a, b)
        sequences = self._sequences(a, b)
        following = sequences[:, 1:]
        ignored = following == PAD
        if loss_on == "answer":
            equals = np.argmax(sequences == EQUALS, axis=1)
            ignored |= np.arange(following.shape[1]) < equals[:, None]
        return Batch(sequences[:, :-1], np.where(ignored, IGNORED, following))

    def text(self, tokens: Any) -> str:
        """Tokens as text, without padding."""
        return "".join(SYMBOLS[token] for token in np.asarray(tokens) if token != PAD)

    def _check_operands(self, a: np.ndarray, b: np.ndarray) -> None:
        both = np.array([a, b]) if a.ndim == 1 and a.shape == b.shape else None
        if (
            both is None
            or both.dtype.kind not in "iu"
            or ((both < 0) | (both >= self.limit)).any()
        ):
            raise KitError(
                "the operands are not two equally long lists of whole numbers from 0 "
                f"to {self.limit - 1}",
                "Use more digits, or smaller numbers",
            )

    def _sequences(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        zero = 0 if self.zero_padding else PAD  # in place of leading zeros
        answer = spell(a + b, self.digits + 1, zero)
        if self.reverse_answer:
            answer = answer[:, ::-1]
        plus, equals = self.start + self.digits, self.prompt_length - 1
        sequences = np.full((len(a), self.context_length + 1), END, "int32")
        sequences[:, self.start : plus] = spell(a, self.digits, zero)
        sequences[:, plus] = PLUS
        sequences[:, plus + 1 : equals] = spell(b, self.digits, zero)
        sequences[:, equals] = EQUALS
        sequences[:, equals + 1 : equals + 2 + self.digits] = answer
        if self.zero_padding:
            return sequences
        order = np.argsort(sequences == PAD, axis=1, kind="stable")
        return np.take_along_axis(sequences, order, axis=1)

    def _draw(self, rng: np.random.Generator, count: int) -> Any:
        """Ordered pairs, uniform over all that are not held out."""
        a, b = rng.integers(self.limit, size=(2, count))
        while (held := self._is_held_out(a, b)).any():
            a[held], b[held] = rng.integers(self.limit, size=(2, int(held.sum())))
        return a, b

    def _is_held_out(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return _contains(self._held_out, self._unordered(a, b))

    def _unordered(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b) * self.limit + np.maximum(a, b)

    @cached_property
    def _held_out(self) -> np.ndarray:
        """Sorted names of the held-out pairs, the same for a + b and b + a."""
        return np.sort(self._unordered(*self._validation_operands))

    @cached_property
    def _validation_operands(self) -> np.ndarray:
        rng = generator(self.split_seed, SPLIT)
        return self._different(rng, self.validation_pairs, taken=None)

    @cached_property
    def _fixed_pairs(self) -> np.ndarray:
        rng = generator(self.split_seed, SPLIT + 1)
        return self._different(rng, self.training_pairs or 0, taken=self._held_out).T

    def _different(self, rng: np.random.Generator, count: int, taken: Any) -> Any:
        """(2, count) operands of pairs that differ from each other and from `taken`."""
        kept = np.empty((2, 0), "int64")
        while kept.shape[1] < count:
            drawn = rng.integers(self.limit, size=(2, 2 * count))
            if taken is not None:
                drawn = drawn[:, ~_contains(taken, self._unordered(*drawn))]
            kept = np.concatenate([kept, drawn], axis=1)
            _, first = np.unique(self._unordered(*kept), return_index=True)
            kept = kept[:, np.sort(first)]
        return kept[:, :count]


def _contains(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which of `values` are in the sorted array `ordered`."""
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return ordered[place] == values


def _keep_one(batch: Batch, share: Any, slots: int | None = None) -> Batch:
    """Keep one target a row, and pad away every token after the place it is read.

    Args:
        batch: Inputs and targets with several kept targets a row.
        share: In [0, 1): which of the kept targets, as a share of their number.
        slots: Divide by this number instead of each row's own number of targets;
            a row with fewer targets than that may then keep none.
    """
    kept = batch.targets != IGNORED
    number = kept.sum(axis=1) if slots is None else slots
    chosen = np.floor(share * number).astype("int64") + 1
    here = kept & (np.cumsum(kept, axis=1) == np.reshape(chosen, (-1, 1)))
    after = np.cumsum(here, axis=1) - here > 0
    return Batch(
        np.where(after, PAD, batch.inputs).astype("int32"),
        np.where(here, batch.targets, IGNORED).astype("int32"),
    )

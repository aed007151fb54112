"""What a neuron is worth: arrays in, one number for each neuron out.

A score reads two things: the `Activity` of the neurons of one feed-forward, gathered
batch by batch, and the matrices that they are made of. Higher scores stay.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kit.errors import KitError, known


@dataclass
class Activity:
    """Sums over the hidden states of one feed-forward, in memory that does not grow.

    The hidden state is what the output matrix reads: after the nonlinearity, and after
    the gate if there is one.

    Args:
        sequences: Sequences so far that hold a token.
        tokens: Tokens so far.
        norms: (neurons,) sum over the sequences of the L2 norm over their tokens.
        absolute: (neurons,) sum of |h|.
        largest: (neurons,) largest |h|.
        mean: (neurons,) mean of h.
        scatter: (neurons,) sum of the squared differences from that mean.

    Example:
        >>> h = np.array([[[3.0, 1.0], [4.0, -1.0]]], "float32")
        >>> activity = Activity.of(h)
        >>> activity.norms.round(3).tolist(), activity.mean.tolist()
        ([5.0, 1.414], [3.5, 0.0])
    """

    sequences: float
    tokens: float
    norms: np.ndarray
    absolute: np.ndarray
    largest: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, hidden: Any, kept: Any = None) -> "Activity":
        """The activity in one array.

        Args:
            hidden: (sequences, time, neurons).
            kept: (sequences, time), 1 for tokens that count and 0 for padding; `None`
                for all.
        """
        shape = np.shape(hidden)[:2]
        kept = np.ones(shape, "float32") if kept is None else np.asarray(kept)
        hidden, kept = (ops.convert_to_tensor(x, "float32") for x in (hidden, kept))
        return cls.from_tensors(measure(hidden, kept))

    @classmethod
    def from_tensors(cls, measured: tuple[Any, ...]) -> "Activity":
        """What `measure` returned, in the double precision in which sums grow."""
        return cls(*(ops.convert_to_numpy(x).astype("float64") for x in measured))

    def __add__(self, other: "Activity") -> "Activity":
        """The activity in both; the variances are put together as Chan et al. do."""
        tokens = self.tokens + other.tokens
        step = other.mean - self.mean
        share = other.tokens / max(tokens, 1.0)
        return Activity(
            sequences=self.sequences + other.sequences,
            tokens=tokens,
            norms=self.norms + other.norms,
            absolute=self.absolute + other.absolute,
            largest=np.maximum(self.largest, other.largest),
            mean=self.mean + step * share,
            scatter=self.scatter + other.scatter + step**2 * self.tokens * share,
        )


def measure(hidden: Any, kept: Any) -> tuple[Any, ...]:
    """The fields of an `Activity` of one batch, as tensors: to be compiled.

    Args:
        hidden: (sequences, time, neurons).
        kept: (sequences, time) of 0 and 1.
    """
    hidden = ops.cast(hidden, "float32")
    weight = ops.expand_dims(ops.cast(kept, "float32"), -1)
    hidden = ops.where(weight > 0, hidden, 0.0)  # what padding holds may be infinite
    tokens = ops.sum(weight)
    mean = ops.sum(hidden, axis=(0, 1)) / ops.maximum(tokens, 1.0)
    return (
        ops.sum(ops.max(weight, axis=(1, 2))),
        tokens,
        ops.sum(ops.sqrt(ops.sum(hidden**2, axis=1)), axis=0),
        ops.sum(ops.abs(hidden), axis=(0, 1)),
        ops.max(ops.abs(hidden), axis=(0, 1)),
        mean,
        ops.sum(weight * (hidden - mean) ** 2, axis=(0, 1)),
    )


Matrices = Mapping[str, np.ndarray]
Score = Callable[[Activity, Matrices, np.random.Generator], np.ndarray]


def l2(activity: Activity, *_: Any) -> np.ndarray:
    """L2 norm over the tokens, mean over the sequences: that of 2SSP (2501.17771).

        score[j] = 1/|C| sum_c || h_c[:, j] ||_2

    Args:
        activity: Of one feed-forward.

    Returns:
        (neurons,) float64.

    Example:
        >>> l2(Activity.of(np.array([[[3.0, 1.0], [4.0, 0.0]]]))).tolist()
        [5.0, 1.0]
    """
    return activity.norms / activity.sequences


def l1(activity: Activity, *_: Any) -> np.ndarray:
    """L1 norm over the tokens, mean over the sequences; it ranks as mean |h| does."""
    return activity.absolute / activity.sequences


def mean(activity: Activity, *_: Any) -> np.ndarray:
    """The size of the mean, |mean h|: what a constant in its place could give back."""
    return np.abs(activity.mean)


def largest(activity: Activity, *_: Any) -> np.ndarray:
    """The largest |h| of all tokens."""
    return activity.largest


def variance(activity: Activity, *_: Any) -> np.ndarray:
    """The variance over all tokens: what no constant in its place could give."""
    return activity.scatter / activity.tokens


def weighted(activity: Activity, matrices: Matrices, *_: Any) -> np.ndarray:
    """`l2` times the norm of what the neuron writes with, its column of the output
    matrix: the size of what it adds to the stream."""
    return l2(activity) * np.linalg.norm(matrices["down"], axis=0)


def magnitude(activity: Activity, matrices: Matrices, *_: Any) -> np.ndarray:
    """L2 norm of all weights of the neuron; no data are looked at."""
    return np.sqrt(np.sum(np.concatenate([*matrices.values()]) ** 2, axis=0))


def random(
    activity: Activity, matrices: Matrices, generator: np.random.Generator
) -> np.ndarray:
    """Numbers that know nothing: the control."""
    return generator.random(size=(matrices["down"].shape[1],))


def worst(activity: Activity, *_: Any) -> np.ndarray:
    """`l2` upside down: the neurons that matter go first, the other control."""
    return -l2(activity)


SCORES: dict[str, Score] = {
    "l2": l2,
    "l1": l1,
    "mean": mean,
    "max": largest,
    "variance": variance,
    "weighted": weighted,
    "magnitude": magnitude,
    "random": random,
    "worst": worst,
}
WITHOUT_DATA = ("magnitude", "random")


def score_neurons(
    name: str, activity: Activity, matrices: Matrices, seed: int = 0, block: int = 0
) -> np.ndarray:
    """The score of a name for each neuron of one feed-forward.

    Args:
        name: `"l2"` (the paper's), `"l1"`, `"mean"`, `"max"`, `"variance"`,
            `"weighted"`, `"magnitude"`, `"random"` or `"worst"`.
        activity: Of its hidden states.
        matrices: `"up"`, `"down"` and for a gated one `"gate"`, (width, neurons) each.
        seed, block: Seed of `"random"`.

    Returns:
        (neurons,) float64, higher is kept.

    Raises:
        KitError: There is no such score, or a score is not finite.

    Example:
        >>> h = np.array([[[3.0, 1.0], [4.0, 0.0]]])
        >>> matrices = {"up": np.ones((2, 2)), "down": np.array([[0.0, 2.0], [1, 0]])}
        >>> score_neurons("weighted", Activity.of(h), matrices).tolist()
        [5.0, 2.0]
    """
    score = SCORES[known("score", name, SCORES)]
    exact = {key: np.asarray(m, "float64") for key, m in matrices.items()}
    found = score(activity, exact, np.random.default_rng([seed, block]))
    if not np.isfinite(found).all():
        raise KitError(
            f"the {name!r} scores of block {block} are not finite numbers",
            "Look at the model's loss: its weights or activations hold NaN or infinity",
        )
    return found


def best(scores: np.ndarray, count: int) -> list[int]:
    """The indices of the `count` highest scores in their order; the first of equals.

    Example:
        >>> best(np.array([0.5, 2.0, 0.5, 1.0]), 3)
        [0, 1, 3]
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    return sorted(order[:count].tolist())

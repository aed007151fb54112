"""How alike attention maps are, and how alike they would be by chance.

A map's rows are sharp or flat, and many have a large entry in column 0 (the sink). Both
alone make maps alike: with 64 tokens and a sink, independent maps reach a cosine of
0.94. So every measure has a null model beside it: the same rows, of which each has its
entries beyond column 0 in a random order, drawn for each layer apart. It keeps how
sharp a row is and what goes to the sink, and forgets who attends to whom.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import NamedTuple

import numpy as np
from scipy.special import entr

from kit.errors import KitError, known

MEASURES = ("cosine", "rows", "jensen-shannon")
ENTRIES_AT_ONCE = 2**20  # of the rows that are compared at a time: 8 MiB

Matrices = dict[str, np.ndarray]


class Compared(NamedTuple):
    """Similarities of layers, (layers, layers) for each measure; 1 is the same.

    Args:
        values: Of the maps.
        null: Of the same maps under the null model; its diagonal is 1.

    Example:
        >>> Compared({"rows": np.eye(2)}, {"rows": np.eye(2)}).values["rows"].shape
        (2, 2)
    """

    values: Matrices
    null: Matrices


def compare_maps(
    samples: Iterable[np.ndarray],
    visible: np.ndarray | Iterator[np.ndarray],
    measures: Iterable[str] = MEASURES,
    seed: int = 0,
    entries_at_once: int = ENTRIES_AT_ONCE,
) -> Compared:
    """The similarity of layers, and that of the null model.

    `"cosine"`: of the flattened maps, all heads and rows (2409.14595). `"rows"`: the
    mean cosine of two rows without column 0, which a sink does not change; a row that
    lies wholly on column 0 has no direction there and counts as 0.
    `"jensen-shannon"`: 1 - the mean divergence of two rows in bits. The latter two
    leave out rows that see fewer than two keys beyond column 0, which are alike anyway.

    The null model is exact for the cosines: the mean of a product of two rows in random
    order is the product of their sums over their length. For the divergence it is
    drawn.

    One sequence is looked at after the other, some rows at a time, so memory does not
    grow with their number, nor with the number of pairs of layers.

    Args:
        samples: For each sequence the maps (layers, heads, time, time).
        visible: (time, time) bool, which keys a query may see; or an iterator of one
            for each sequence, where they differ.
        measures: Which; all of `MEASURES` by default.
        seed: Of the random orders.
        entries_at_once: Entries of maps that are compared in one piece.

    Raises:
        KitError: There is nothing to compare, or no such measure.

    Example:
        >>> flat = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
        >>> sample = np.stack([flat, flat])[:, None]  # two layers of one head
        >>> found = compare_maps([sample], flat > 0)
        >>> found.values["cosine"].round(3).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
        >>> found.null["cosine"].round(3).tolist()  # flat maps are alike by chance
        [[1.0, 1.0], [1.0, 1.0]]
    """
    names = [known("measure", name, MEASURES) for name in measures]
    totals: dict[str, list[np.ndarray]] = {}
    count = 0
    for sample, orders in zip(samples, _orders(visible, seed), strict=False):
        sums = _Sums(orders, names, len(sample))
        for rows, queries, head in _pieces(np.asarray(sample), entries_at_once):
            sums.add(rows, queries, (count, head))
        for name, pair in sums.found().items():
            before = totals.get(name, [np.zeros_like(pair[0])] * 2)
            totals[name] = [old + new for old, new in zip(before, pair, strict=True)]
        count += 1
    if not count:
        raise KitError("there are no attention maps to compare", "Give some sequences")
    values = {name: pair[0] / count for name, pair in totals.items()}
    null = {name: pair[1] / count for name, pair in totals.items()}
    for matrix in null.values():
        np.fill_diagonal(matrix, 1.0)  # a layer is no other layer
    return Compared(values, null)


def _pieces(
    sample: np.ndarray, entries: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Rows (rows, layers, keys) of one head, their queries (rows,), and the head."""
    layers, heads, time, keys = sample.shape
    size = max(1, entries // (layers * keys))
    for head in range(heads):
        for start in range(0, time, size):
            queries = np.arange(start, min(start + size, time))
            rows = np.swapaxes(sample[:, head, queries], 0, 1)
            yield np.asarray(rows, "float64"), queries, head


def _orders(
    visible: np.ndarray | Iterator[np.ndarray], seed: int
) -> Iterable["_Orders"]:
    """Of each sequence."""
    if isinstance(visible, Iterator):
        return (_Orders(each, seed) for each in visible)
    return repeat(_Orders(np.asarray(visible, bool), seed))


class _Orders:
    """Random orders of the keys that each query sees beyond column 0."""

    def __init__(self, visible: np.ndarray, seed: int):
        self.visible = visible.copy()
        self.visible[:, 0] = False
        self.counts = self.visible.sum(axis=1)
        self.seed = seed
        if not (self.counts >= 2).any():
            raise KitError(
                f"maps of {visible.shape[0]} tokens have no two entries to compare",
                "Use sequences of three tokens or more",
            )

    def shuffled(
        self, rows: np.ndarray, queries: np.ndarray, draw: tuple[int, int]
    ) -> np.ndarray:
        """The rows (rows, layers, keys) in an order of each layer's own."""
        visible = self.visible[queries]
        places = np.argsort(~visible, axis=1, kind="stable")  # visible ones first
        new = rows.copy()
        for layer in range(rows.shape[1]):
            rng = np.random.default_rng([self.seed, *draw, layer])
            random = rng.random(visible.shape[1])
            order = np.argsort(np.where(visible, random, 2.0), axis=1, kind="stable")
            taken = np.take_along_axis(rows[:, layer], order, axis=1)
            np.put_along_axis(new[:, layer], places, taken, axis=1)
        return new


class _Sums:
    """Sums over the rows of one sequence."""

    def __init__(self, orders: _Orders, measures: list[str], layers: int):
        self.orders, self.measures = orders, measures
        self.dots, self.chance, self.rows, self.rows_chance, self.bits, self.null = (
            np.zeros((layers, layers)) for _ in range(6)
        )
        self.compared = 0

    def add(self, rows: np.ndarray, queries: np.ndarray, draw: tuple[int, int]) -> None:
        first, rest = rows[..., 0], rows[..., 1:]
        counts = self.orders.counts[queries]
        mass = rest.sum(axis=-1)
        sinks = first[:, :, None] * first[:, None]
        dots = rest @ np.swapaxes(rest, 1, 2)
        chance = mass[:, :, None] * mass[:, None] / np.maximum(counts, 1)[:, None, None]
        self.dots += (sinks + dots).sum(axis=0)
        self.chance += (sinks + chance).sum(axis=0)
        some = counts >= 2
        self.compared += int(some.sum())
        if "rows" in self.measures:
            lengths = np.linalg.norm(rest[some], axis=-1)
            products = np.maximum(lengths[:, :, None] * lengths[:, None], 1e-300)
            self.rows += (dots[some] / products).sum(axis=0)
            self.rows_chance += (chance[some] / products).sum(axis=0)
        if "jensen-shannon" in self.measures:
            self.bits += divergences(rows[some]).sum(axis=0)
            shuffled = self.orders.shuffled(rows[some], queries[some], draw)
            self.null += divergences(shuffled).sum(axis=0)

    def found(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The similarity and that of the null model, by measure."""
        length = np.sqrt(np.diag(self.dots))
        products = length[:, None] * length
        count = self.compared
        found = {
            "cosine": (self.dots / products, self.chance / products),
            "rows": (self.rows / count, self.rows_chance / count),
            "jensen-shannon": (1 - self.bits / count, 1 - self.null / count),
        }
        return {name: found[name] for name in self.measures}


def divergences(rows: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergences of all pairs of layers, in bits.

        JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2

    Args:
        rows: (rows, layers, keys), distributions.

    Returns:
        (rows, layers, layers), from 0 to 1.

    Example:
        >>> float(divergences(np.eye(2)[None])[0, 0, 1])
        1.0
    """
    entropy = entr(rows).sum(axis=-1)
    found = np.zeros((*rows.shape[:2], rows.shape[1]))
    for layer in range(rows.shape[1] - 1):
        middle = (rows[:, layer : layer + 1] + rows[:, layer + 1 :]) / 2
        both = (entropy[:, layer : layer + 1] + entropy[:, layer + 1 :]) / 2
        bits = (entr(middle).sum(axis=-1) - both) / np.log(2)
        found[:, layer, layer + 1 :] = found[:, layer + 1 :, layer] = bits
    return np.maximum(found, 0.0)

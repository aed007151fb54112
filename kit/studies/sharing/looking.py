"""How alike a model's maps are, as rows keep it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kit.data import Batch
from kit.models import Transformer
from kit.sharing import MEASURES, MapSimilarity, compare_maps, map_similarity
from kit.sharing.similarity import attention_blocks, maps_of, visible_keys
from kit.studies.sharing.matrices import inner_pairs, upper

CALIBRATED = 20_000  # seeds of what maps are measured on: no run trains with them


def calibration(task: Any, sequences: int, seed: int) -> Batch:
    """Training sequences that no run begins with."""
    return task.batch(0, sequences, CALIBRATED + seed)


def plain_maps(similarity: MapSimilarity) -> dict[str, dict[str, list[float]]]:
    """Similarities for JSON: what is above the diagonals, row by row."""
    return {
        name: {measure: upper(matrix) for measure, matrix in matrices.items()}
        for name, matrices in (("value", similarity.values), ("null", similarity.null))
    }


def watching(tokens: np.ndarray) -> Callable[[Transformer], dict[str, Any]]:
    """What a training run observes: the similarities of its maps."""
    return lambda model: {"maps": plain_maps(map_similarity(model, tokens))}


def summary(similarity: MapSimilarity) -> dict[str, float]:
    """Inner blocks, and how far the first and the last are from them, by measure."""
    found = {}
    for measure in similarity.values:
        scores = list(similarity.scores(measure).values())
        inner = float(np.mean(scores[1:-1]))
        values = {
            "": similarity.values[measure],
            "_null": similarity.null[measure],
            "_excess": similarity.excess(measure),
        }
        for name, matrix in values.items():
            found[f"{measure}_inner{name}"] = float(np.mean(inner_pairs(matrix)))
        found[f"{measure}_above_first"] = inner - scores[0]
        found[f"{measure}_above_last"] = inner - scores[-1]
    return found


def unrelated(
    first: Transformer, second: Transformer, tokens: np.ndarray
) -> dict[str, float]:
    """By measure, how alike the inner maps of two models are that never met."""
    blocks = attention_blocks(first)
    both = zip(*(maps_of(m, tokens, blocks) for m in (first, second)), strict=True)
    samples = (np.concatenate(pair) for pair in both)
    found = compare_maps(samples, visible_keys(first, tokens[:1])).values
    n = len(blocks)
    return {
        measure: float(np.mean(found[measure][1 : n - 1, n + 1 : -1]))
        for measure in MEASURES
    }

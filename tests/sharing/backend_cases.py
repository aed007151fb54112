"""Sharing on this backend: `python -m tests.sharing.backend_cases FILE`."""

import sys

import numpy as np

from kit.models import build, named_weights
from kit.optimizers import AdamW
from kit.sharing import (
    Distillation,
    DistillationConfig,
    map_similarity,
    match_heads,
    share,
)
from tests.cases import BLOCK, case, read, shake, some_tokens

CONFIG = case(blocks=(BLOCK,) * 4, positions="rotary")
COPIES = {1: 0, 3: 2}
STEPS = 3


def everything() -> dict[str, np.ndarray]:
    """Similarities, matched heads, and a student after steps of distillation."""
    teacher, tokens = shake(build(CONFIG)), some_tokens(CONFIG, batch=4)
    found: dict[str, np.ndarray] = {}
    similarity = map_similarity(teacher, tokens)
    for measure in similarity.values:
        found[f"value {measure}"] = similarity.values[measure]
        found[f"null {measure}"] = similarity.null[measure]
    heads = match_heads(teacher, COPIES, tokens)
    for block, order in heads.items():
        found[f"heads {block}"] = np.array(order["heads"])
    student = share(teacher, COPIES, heads)
    found["logits"] = read(student, tokens)
    both = Distillation(student, teacher, DistillationConfig())
    both.compile(AdamW(1e-3, weight_decay=0.1))
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    both.fit(tokens, np.roll(tokens, -1, axis=1), epochs=STEPS, **options)
    for key, weight in named_weights(student).items():
        found[f"trained {key}"] = np.asarray(weight)
    return found


if __name__ == "__main__":
    np.savez(sys.argv[1], **everything())

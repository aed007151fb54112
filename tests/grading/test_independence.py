"""The judge knows arrays and nothing of the models."""

import ast
from pathlib import Path

import numpy as np
import pytest

import kit.grading
from kit.config import ModelConfig
from kit.data.addition import Addition
from kit.grading.exercises import find
from kit.probes.ceilings import bayes_ceilings

FOLDER = Path(kit.grading.__file__).parent
ALLOWED = ("kit.grading", "kit.errors", "kit.paths")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.stem)
def test_no_model_code_is_imported(path):
    own = [name for name in imports(path) if name.split(".")[0] == "kit"]
    assert [name for name in own if not name.startswith(ALLOWED)] == []


# The other way round, what is taught is what the kit does.


def solution(name):
    namespace = {}
    exec(find(name).reference(), namespace)
    return namespace[find(name).function]


def test_the_addition_batch_is_the_kits():
    task = Addition(digits=3, reverse_answer=True, validation_pairs=10)
    a, b = np.random.default_rng(0).integers(1000, size=(2, 50))
    ours = solution("addition_batch")(a, b, 3)
    for mine, kits in zip(ours, task.encode(a, b), strict=True):
        np.testing.assert_array_equal(mine, kits)


def test_the_ceiling_is_the_kits():
    share, bags = solution("ceiling")(2, 10)
    ceilings = bayes_ceilings(digits=2)
    assert (share, bags) == (ceilings.exact_match, ceilings.num_multisets)


def test_the_edits_fit_the_kits_models():
    changes = solution("ablation")(1, 2, 2)
    model = ModelConfig.uniform(
        num_blocks=6,
        vocabulary_size=14,
        context_length=11,
        width=16,
        positions=changes["positions"],
        mask="causal",
    ).with_blocks(changes["blocks"])
    skips = [block.attention_skip + block.feed_forward_skip for block in model.blocks]
    assert skips == [2, 0, 2, 0, 2, 2]

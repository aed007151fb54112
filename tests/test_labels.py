"""Row labels say what differs, all of it and nothing else."""

from dataclasses import replace

import pytest

from kit.config import ModelConfig
from kit.labels import difference_label
from tests.cases import CASES

BASE = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)


def test_nothing_differs():
    assert difference_label(BASE, BASE) == "base"


@pytest.mark.parametrize(
    "edits, label",
    [
        ({1: {"attention_skip": 0.0}}, "block 1: attention_skip 1 → 0"),
        (
            {1: {"attention_skip": 0.5}, 2: {"attention_skip": 0.5}},
            "blocks 1-2: attention_skip 1 → 0.5",
        ),
        ({0: {"norm": "rms"}, 3: {"norm": "rms"}}, "blocks 0, 3: norm layer → rms"),
        (
            dict.fromkeys(range(4), {"feed_forward": None}),
            "all blocks: feed_forward gelu → None",
        ),
        (
            {0: {"norm": "rms"}, 2: {"attention": None}},
            "block 0: norm layer → rms; block 2: attention softmax → None",
        ),
        ({0: {"head_dim": 8}}, "block 0: head_dim 8"),
        (
            {2: {"norm": "rms", "dropout": 0.1}},
            "block 2: norm layer → rms, dropout 0 → 0.1",
        ),
    ],
)
def test_edits_of_blocks(edits, label):
    assert difference_label(BASE.with_blocks(edits), BASE) == label


def test_edits_of_shared_fields_come_first():
    edited = replace(BASE, positions="none", width=32).with_blocks(
        {1: {"dropout": 0.5}}
    )
    assert difference_label(edited, BASE) == (
        "width 64 → 32; positions learned → none; block 1: dropout 0 → 0.5"
    )


def test_other_numbers_of_blocks():
    fewer = replace(BASE, blocks=BASE.blocks[:3])
    assert difference_label(fewer, BASE) == "blocks 4 → 3"
    assert difference_label(BASE, fewer) == "blocks 3 → 4"
    none = replace(BASE, blocks=())
    assert difference_label(none, BASE) == "blocks 4 → 0"
    assert difference_label(BASE, none) == "blocks 0 → 4"


def test_different_cases_have_different_labels():
    """Two arms of a table are never shown under one name."""
    base = CASES["pre-ln"]
    labels = {}
    for config in CASES.values():
        labels.setdefault(difference_label(config, base), []).append(config)
    for label, configs in labels.items():
        assert len(set(configs)) == 1, label

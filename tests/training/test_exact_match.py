"""Exact match is what greedy decoding by `generate` really writes."""

from dataclasses import replace

import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.data import IGNORED, PAD, Addition
from kit.data.addition import END, EQUALS
from kit.models import generate
from kit.training import TrainConfig, Trainer

pytestmark = pytest.mark.slow
BASE = Addition(digits=1, validation_pairs=12)
TASKS = {
    "sequence": BASE,
    "reversed": replace(BASE, reverse_answer=True),
    "ragged": replace(BASE, zero_padding=False),
    "next-token": replace(BASE, protocol="next_token"),
    "next-token-reversed": replace(BASE, protocol="next_token", reverse_answer=True),
    "next-token-ragged": replace(BASE, protocol="next_token", zero_padding=False),
}
TRAIN = TrainConfig(batch_size=32, learning_rate=3e-3, warmup_steps=10)
# Half trained, so that some answers are right and some are wrong.
STEPS = {"sequence": 300, "next_token": 400}


def half_trained(task):
    whole = task.protocol == "sequence"
    config = ModelConfig.uniform(
        2,
        BlockConfig(num_heads=2, feed_forward_dim=64),
        width=32,
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
        mask="causal" if whole else "full",
        padding_id=None if whole else PAD,
    )
    steps = STEPS[task.protocol]
    training = replace(TRAIN, steps=steps, evaluate_every=steps)
    return Trainer(config, task, training, jit_compile=False).run(progress=False)


def written(model, prompt, steps, until_end):
    """What greedy decoding adds, up to the end token where answers have one."""
    added = generate(model, prompt, steps)[0, len(prompt) :].tolist()
    if until_end and END in added:
        added = added[: added.index(END) + 1]
    return added


@pytest.mark.parametrize("name", TASKS)
def test_exact_match_is_that_of_greedy_decoding(name):
    task = TASKS[name]
    run = half_trained(task)
    inputs, targets = replace(task, protocol="sequence").validation()
    right = []
    for row, target in zip(inputs, targets, strict=True):
        prompt = row[: np.argmax(row == EQUALS) + 1]
        answer = target[target != IGNORED].tolist()
        added = written(run.model, prompt, task.answer_length, not task.zero_padding)
        right.append(added[: len(answer)] == answer)
    assert run.metrics["exact_match"] == np.mean(right)
    assert 0 < np.mean(right) < 1

"""Model and task that do not go together are refused before anything is built."""

from dataclasses import replace

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import IGNORED, PAD, Addition, Batch
from kit.errors import KitError
from kit.training.fit import check_fit

SEQUENCE = Addition(digits=2, validation_pairs=50)
RAGGED = replace(SEQUENCE, zero_padding=False)
NEXT_TOKEN = replace(SEQUENCE, protocol="next_token")
EVERYTHING = replace(SEQUENCE, loss_on="all")


def config(task, **shared):
    sizes = {
        "vocabulary_size": task.vocabulary_size,
        "context_length": task.context_length,
    }
    return ModelConfig(**{**sizes, **shared})


def prefix(length):
    return {"mask": "prefix", "prefix_length": length}


FULL = {"mask": "full"}
PADDED = {"padding_id": PAD}
BAD = {
    "vocabulary": (SEQUENCE, {"vocabulary_size": 13}, "vocabulary_size=13 .*task's 14"),
    "context": (SEQUENCE, {"context_length": 7}, "context_length=7 .*task's 8"),
    "full mask": (SEQUENCE, FULL, 'mask="full" shows .* position 6'),
    "full mask on ragged rows": (RAGGED, FULL, 'mask="full" shows'),
    "full mask on all tokens": (EVERYTHING, FULL, 'mask="full" shows'),
    "prefix with an answer": (SEQUENCE, prefix(7), 'mask="prefix" shows .* position 6'),
    "prefix on short rows": (RAGGED, prefix(6), 'mask="prefix" shows'),
    "prefix on all tokens": (EVERYTHING, prefix(2), "position 1,"),
    "no padding": (NEXT_TOKEN, FULL, "padding_id=None .*padding_id=kit.data.PAD"),
    "other padding": (NEXT_TOKEN, {"padding_id": 3}, "padding_id=3 and would attend"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit(name):
    task, shared, message = BAD[name]
    with pytest.raises(KitError, match=message) as caught:
        check_fit(config(task, **shared), task, task.validation())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "task, shared",
    [
        (SEQUENCE, {}),
        (SEQUENCE, prefix(SEQUENCE.prompt_length)),
        (SEQUENCE, {"vocabulary_size": 20, "context_length": 30}),
        (RAGGED, {}),
        (EVERYTHING, prefix(1)),
        (NEXT_TOKEN, {**FULL, **PADDED}),
        (NEXT_TOKEN, {**prefix(8), **PADDED}),
        (NEXT_TOKEN, PADDED),
    ],
)
def test_what_fits(task, shared):
    check_fit(config(task, **shared), task, task.validation())


class LastToken:
    """A task that asks for one token after the end of what is read."""

    vocabulary_size, context_length = 5, 4
    fingerprint = "last"

    def validation(self):
        return self.batch(0, 8, 0)

    def batch(self, step, batch_size, seed):
        inputs = np.random.default_rng(step).integers(5, size=(batch_size, 4))
        targets = np.full_like(inputs, IGNORED)
        targets[:, -1] = inputs.sum(axis=1) % 5
        return Batch(inputs, targets)


def test_a_full_mask_may_read_everything_that_is_not_asked_for():
    task = LastToken()
    check_fit(config(task, mask="full"), task, task.validation())

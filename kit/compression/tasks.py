"""From a file to what a smaller model learns from, and is judged by."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kit.compression.models import Trained
from kit.compression.texts import (
    JUDGED_TOKENS,
    Tokens,
    common_length,
    read_parts,
    sequences_of,
)
from kit.config import ModelConfig
from kit.data import IGNORED, Batch, Scores, token_metrics
from kit.data.batch import generator
from kit.pruning import Calibration

LONGEST = 512  # tokens of a sequence, whose maps are looked at (2409.14595)


class TokenTask:
    """A `kit.data.Task` on tokens that are there already.

    Args:
        tokens: To learn from: a stream (tokens,), of which each next token is
            predicted, or sequences with targets.
        held_out: What judges.
        vocabulary_size: Number of token ids.
        padding_id: Token of a stream that nothing is learnt about, or `None`.

    Example:
        >>> held_out = Batch(*np.zeros((2, 3, 8), "int32"))
        >>> task = TokenTask(np.arange(100), held_out, vocabulary_size=100)
        >>> inputs, targets = task.batch(step=0, batch_size=4, seed=0)
        >>> inputs.shape, bool((targets[:, :-1] == inputs[:, 1:]).all())
        ((4, 8), True)
    """

    def __init__(
        self,
        tokens: Tokens,
        held_out: Batch,
        vocabulary_size: int,
        padding_id: int | None = None,
    ):
        self.tokens, self.held_out = tokens, held_out
        self.vocabulary_size, self.padding_id = vocabulary_size, padding_id
        self.context_length = held_out.inputs.shape[1]

    @property
    def sequences(self) -> int:
        """How many the text holds that share no token."""
        if isinstance(self.tokens, Batch):
            return len(self.tokens.inputs)
        return len(self.tokens) // self.context_length

    @property
    def reads_in_place(self) -> bool:
        """Whether targets that were given are other tokens than the next ones, such as
        those that a mask token hides."""
        if not isinstance(self.tokens, Batch):
            return False
        inputs, targets = self.tokens
        asked = targets[:, :-1] != IGNORED
        return bool((asked & (inputs[:, 1:] != targets[:, :-1])).any())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all tokens."""
        parts = self.tokens if isinstance(self.tokens, Batch) else [self.tokens]
        found = hashlib.sha256()
        for array in (*parts, *self.held_out):
            found.update(np.ascontiguousarray(array, "int64").tobytes())
        return found.hexdigest()

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """Training data of one step, drawn with replacement."""
        rng, time = generator(seed, step), self.context_length
        if isinstance(self.tokens, Batch):
            rows = rng.integers(len(self.tokens.inputs), size=batch_size)
            return Batch(*(array[rows].astype("int32") for array in self.tokens))
        starts = rng.integers(len(self.tokens) - time + 1, size=batch_size)
        windows = self.tokens[starts[:, None] + np.arange(time)]
        shown = Calibration(windows.astype("int32"), 1)
        return shown.without_padding(self.padding_id).batch

    def validation(self) -> Batch:
        """The held-out data."""
        return self.held_out

    def metrics(self, scores: Scores, targets: np.ndarray) -> dict[str, float]:
        """Loss in nats per token, perplexity and token accuracy."""
        return token_metrics(scores, targets)


class Lesson(NamedTuple):
    """A task, and where its data come from.

    Args:
        task: The task.
        about: In words, under `"data"` and `"held_out"`.

    Example:
        >>> Lesson(task=None, about={})._fields
        ('task', 'about')
    """

    task: TokenTask
    about: Mapping[str, str]


def read_task(
    trained: Trained, data: str, evaluate: str | None = None, length: int | None = None
) -> Lesson:
    """What a model learns from, and what judges it.

    Args:
        trained: The model and its tokenizer.
        data: A text, a corpus or token ids, as for `kit.compression.texts.read_texts`.
        evaluate: What it is judged by; by default the last fifth of `data`, or as for
            `read_texts`.
        length: Tokens of a sequence; by default what the model can read, up to 512, or
            as many as given sequences have.

    Raises:
        KitError: A file is missing, too short or of another kind, or nothing says how
            its text becomes tokens.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> model = build(
        ...     ModelConfig.uniform(1, vocabulary_size=500, context_length=12)
        ... )
        >>> with TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "ids.npy"), np.arange(500))
        ...     task, about = read_task(Trained("", model, None), f"{folder}/ids.npy")
        >>> about["data"]  # doctest: +ELLIPSIS
        '400 tokens from the first 80% of ...ids.npy'
    """
    config = trained.model.config
    parts = read_parts(trained, data, evaluate, length)
    time = common_length(parts, config, LONGEST, length)
    count = max(1, JUDGED_TOKENS // time)
    held_out = sequences_of(parts.judged, time, count, config)
    inputs = _checked(parts.data, time, config)
    about = {
        "data": f"{inputs.size:,} tokens from {parts.where}",
        "held_out": f"{held_out.inputs.size:,} tokens from {parts.source}",
    }
    vocabulary, padding = config.vocabulary_size, config.padding_id
    return Lesson(TokenTask(parts.data, held_out, vocabulary, padding), about)


def _checked(data: Tokens, time: int, config: ModelConfig) -> np.ndarray:
    """The tokens, if the model can read all of them."""
    if isinstance(data, Batch):
        return sequences_of(data, time, len(data.inputs), config).inputs
    sequences_of(data, time, len(data), config)
    Calibration(data[None, -time:], 1).check(config)  # what is left at the end
    return data

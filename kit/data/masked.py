"""Masked language modelling: some tokens are hidden, and the model says which."""

from pathlib import Path
from typing import Any

import numpy as np

from kit.data.batch import IGNORED, Batch, Scores, generator, token_metrics
from kit.data.corpora import Corpus
from kit.data.text import TextTask, check_fraction
from kit.data.tokenizers import Tokenizer

# Streams of random numbers of their own, beyond those that draw the windows.
MASKS, HELD_OUT = 2**61, 2**60
# What becomes of a chosen token: the rest of the share stays as it is (BERT).
HIDDEN, REPLACED = 0.8, 0.1


class MaskedTextTask(TextTask):
    """Say what the hidden tokens of a text are, from both sides of them (1810.04805).

    Tokens are chosen with probability `masked`. Of those, 80% become the mask token,
    10% a random token and 10% stay; the loss is on all of them and on no other. The
    mask token is the last of the vocabulary and never a target. Windows and parts are
    those of `TextTask`. Meant for a model with `mask="full"`.

    Args:
        masked: Share of the tokens that are chosen; BERT's is 0.15.
        corpus, tokenizer, context_length, split, validation_fraction,
            validation_tokens, sampling: As for `TextTask`.

    Raises:
        KitError: As for `TextTask`, or `masked` is not between 0 and 1.

    Example:
        >>> text = Corpus("rhyme", ("one two buckle my shoe\\n" * 20,))
        >>> task = MaskedTextTask(text, context_length=8)
        >>> inputs, targets = task.batch(step=0, batch_size=4, seed=0)
        >>> hidden = inputs == task.mask_id
        >>> bool((targets[hidden] < task.mask_id).all())
        True
    """

    reads_in_place = True  # a target is the token at its own position

    def __init__(
        self,
        corpus: str | Path | Corpus,
        tokenizer: str | dict[str, int] | Tokenizer = "character",
        context_length: int = 64,
        split: str | None = None,
        validation_fraction: float = 0.1,
        validation_tokens: int | None = 65_536,
        sampling: str = "random",
        masked: float = 0.15,
    ):
        self.masked = masked
        check_fraction("masked", masked)
        super().__init__(
            corpus,
            tokenizer,
            context_length,
            split,
            validation_fraction,
            validation_tokens,
            sampling,
        )

    @property
    def mask_id(self) -> int:
        """The token that hides another."""
        return self.tokenizer.vocabulary_size

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids, with the mask token."""
        return self.tokenizer.vocabulary_size + 1

    def spec(self) -> dict[str, Any]:
        """Plain data for JSON; `MaskedTextTask(**spec)` without `"task"` is its
        inverse, for a corpus that `load_corpus` finds under its name."""
        return super().spec() | {"task": "masked_text", "masked": self.masked}

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """Training windows of one step, with tokens hidden; see `kit.data.Task`."""
        windows = super().batch(step, batch_size, seed).inputs
        return self._hide(windows, generator(seed, MASKS + step))

    def validation(self) -> Batch:
        """Held-out windows with the same tokens hidden each time."""
        return self._hide(super().validation().inputs, generator(0, HELD_OUT))

    def metrics(self, scores: Scores, targets: np.ndarray) -> dict[str, float]:
        """Loss in nats, perplexity and accuracy over the chosen tokens."""
        return token_metrics(scores, targets)

    def _hide(self, tokens: np.ndarray, rng: np.random.Generator) -> Batch:
        chosen = rng.random(tokens.shape) < self.masked
        chosen[:, 0] |= ~chosen.any(axis=1)  # a row without a target teaches nothing
        fate = rng.random(tokens.shape)
        other = rng.integers(self.mask_id, size=tokens.shape, dtype="int32")
        inputs = np.where(chosen & (fate < HIDDEN), np.int32(self.mask_id), tokens)
        replaced = chosen & (fate >= HIDDEN) & (fate < HIDDEN + REPLACED)
        inputs = np.where(replaced, other, inputs)
        return Batch(inputs, np.where(chosen, tokens, np.int32(IGNORED)))

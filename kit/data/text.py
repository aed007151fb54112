"""Language modelling on a text: windows of tokens, and the tokens that follow them."""

import hashlib
import json
import math
from functools import cached_property, lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from kit.checks import whole
from kit.data.batch import Batch, Scores, generator, token_metrics
from kit.data.corpora import Corpus, load_corpus
from kit.data.tokenizers import Tokenizer, get_tokenizer
from kit.errors import KitError, known

SPLITS = ("published", "document", "position")
SAMPLINGS = ("random", "epoch")
# Beyond every training step, so that the split never shares a random stream with one.
SPLIT = 2**62


class TextTask:
    """Predict each next token of a text.

    Documents are joined to one stream, with the end token after each if there are
    several. Windows come from the training or the validation part, never from both.

    Args:
        corpus: A name or path for `load_corpus`, or a `Corpus`.
        tokenizer: `"character"`, `{"bpe": 2048}`, or a tokenizer.
        context_length: Tokens that a model reads.
        split: `"published"` takes the corpus's own validation part; `"document"`
            draws whole documents; `"position"` cuts the stream and keeps its end for
            validation. By default the corpus's own part if it has one, else
            `"position"`.
        validation_fraction: Share of the tokens that is held out; unused when
            published.
        validation_tokens: Most tokens that `validation()` returns, in windows spread
            evenly over the held-out part; None for all of them.
        sampling: `"random"` windows start anywhere; `"epoch"` visits the windows at
            multiples of `context_length` once each in shuffled order, then anew.

    Raises:
        KitError: If a value is out of range, the corpus or tokenizer cannot be had, or
            a part of the text is shorter than the context.

    Example:
        >>> text = Corpus("rhyme", ("one two buckle my shoe\\n" * 20,))
        >>> task = TextTask(text, context_length=8)
        >>> inputs, targets = task.batch(step=0, batch_size=4, seed=0)
        >>> inputs.shape, bool((inputs[:, 1:] == targets[:, :-1]).all())
        ((4, 8), True)
    """

    def __init__(
        self,
        corpus: str | Path | Corpus,
        tokenizer: str | dict[str, int] | Tokenizer = "character",
        context_length: int = 64,
        split: str | None = None,
        validation_fraction: float = 0.1,
        validation_tokens: int | None = 65_536,
        sampling: str = "random",
    ):
        check_fraction("validation_fraction", validation_fraction)
        context_length = whole("context_length", context_length)
        if validation_tokens is not None:
            validation_tokens = whole("validation_tokens", validation_tokens)
        self.corpus = corpus if isinstance(corpus, Corpus) else load_corpus(corpus)
        published = self.corpus.num_validation is not None
        self.context_length = context_length
        self.split = known(
            "split", split or ("published" if published else "position"), SPLITS
        )
        self.sampling = known("sampling", sampling, SAMPLINGS)
        self.validation_fraction = validation_fraction
        self.validation_tokens = validation_tokens
        self.tokenizer = (
            get_tokenizer(tokenizer, self.corpus)
            if isinstance(tokenizer, str | dict)
            else tokenizer
        )
        self._training, self._held_out = self._parts()
        for part, stream in (
            ("training", self._training),
            ("validation", self._held_out),
        ):
            if len(stream) <= context_length:
                raise KitError(
                    f"the {part} part of {self.corpus.name} has {len(stream)} tokens, "
                    f"and context_length={context_length} needs {context_length + 1}",
                    "Take a longer text, a shorter context or another split",
                )

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return self.tokenizer.vocabulary_size

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the text, the tokenizer and the settings."""
        content = self.spec() | {
            "corpus": self.corpus.fingerprint,
            "tokenizer": self.tokenizer.fingerprint,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def spec(self) -> dict[str, Any]:
        """Plain data for JSON; `TextTask(**spec)` without `"task"` is its inverse.

        That holds for a corpus that `load_corpus` finds under its name.
        """
        return {
            "task": "text",
            "corpus": self.corpus.name,
            "tokenizer": self.tokenizer.spec,
            "context_length": self.context_length,
            "split": self.split,
            "validation_fraction": self.validation_fraction,
            "validation_tokens": self.validation_tokens,
            "sampling": self.sampling,
        }

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """Training windows of one step; see `kit.data.Task`."""
        if self.sampling == "random":
            last_start = len(self._training) - self.context_length - 1
            starts = generator(seed, step).integers(last_start + 1, size=batch_size)
        else:
            visits = np.arange(step * batch_size, (step + 1) * batch_size)
            starts = self._epoch_starts(visits, seed)
        return self._windows(self._training, starts)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps until `sampling="epoch"` has visited every whole batch of windows."""
        return self._num_windows(self._training) // batch_size

    def validation(self) -> Batch:
        """Held-out windows that do not overlap, always the same."""
        windows = np.arange(self._num_windows(self._held_out))
        if self.validation_tokens is not None:
            wanted = max(1, self.validation_tokens // self.context_length)
            if wanted < len(windows):
                windows = windows[np.arange(wanted) * len(windows) // wanted]
        return self._windows(self._held_out, windows * self.context_length)

    def metrics(self, scores: Scores, targets: np.ndarray) -> dict[str, float]:
        """Loss in nats per token, perplexity, token accuracy, bits per character."""
        metrics = token_metrics(scores, targets)
        bits_per_token = metrics["loss"] / math.log(2)
        metrics["bits_per_character"] = bits_per_token * self._tokens_per_character
        return metrics

    @cached_property
    def _tokens_per_character(self) -> float:
        """Of the held-out part; so that losses of two tokenizers can be compared."""
        tokens = self._held_out[self._held_out != self.tokenizer.end_id]
        return len(self._held_out) / max(len(self.tokenizer.decode(tokens)), 1)

    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and validation stream, (length,) int32 each."""
        documents = self.tokenizer.encode_corpus(self.corpus)
        end = self.tokenizer.end_id
        if end is not None and len(documents) > 1:
            documents = [np.append(tokens, np.int32(end)) for tokens in documents]
        if self.split == "position":
            stream = np.concatenate(documents)
            cut = int(len(stream) * (1 - self.validation_fraction))
            return stream[:cut], stream[cut:]
        held_out = self._held_out_documents(documents)
        training = [tokens for i, tokens in enumerate(documents) if i not in held_out]
        validation = [tokens for i, tokens in enumerate(documents) if i in held_out]
        return np.concatenate(training), np.concatenate(validation)

    def _held_out_documents(self, documents: list[np.ndarray]) -> set[int]:
        """Indices of the published part, or of enough documents drawn at random."""
        count = len(documents)
        if self.split == "published":
            if self.corpus.num_validation is None:
                raise KitError(
                    f"{self.corpus.name} was published without a validation part",
                    'Use split="position" or split="document"',
                )
            return set(range(count - self.corpus.num_validation, count))
        if count < 2:
            raise KitError(
                f'{self.corpus.name} is one document, and split="document" needs two',
                'Use split="position", or end documents with a line <|endoftext|>',
            )
        order = generator(0, SPLIT).permutation(count)
        tokens = np.cumsum([len(documents[i]) for i in order])
        wanted = int(np.searchsorted(tokens, self.validation_fraction * tokens[-1])) + 1
        return set(order[: min(wanted, count - 1)].tolist())

    def _num_windows(self, stream: np.ndarray) -> int:
        return (len(stream) - 1) // self.context_length

    def _epoch_starts(self, visits: np.ndarray, seed: int) -> np.ndarray:
        """Where the windows of the given visits start; visit 0 opens epoch 0."""
        num_windows = self._num_windows(self._training)
        epochs, places = np.divmod(visits, num_windows)
        windows = np.empty_like(visits)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            windows[here] = _shuffled(num_windows, seed, int(epoch))[places[here]]
        return windows * self.context_length

    def _windows(self, stream: np.ndarray, starts: np.ndarray) -> Batch:
        windows = stream[starts[:, None] + np.arange(self.context_length + 1)]
        return Batch(windows[:, :-1], windows[:, 1:])


@lru_cache(maxsize=8)
def _shuffled(num_windows: int, seed: int, epoch: int) -> np.ndarray:
    return generator(seed, epoch).permutation(num_windows)


def check_fraction(name: str, share: float) -> None:
    """Raise a `KitError` unless a share is between 0 and 1."""
    if not (isinstance(share, Real) and 0 < share < 1):
        raise KitError(
            f"{name}={share!r} is not a number between 0 and 1",
            "Use for example 0.1",
        )

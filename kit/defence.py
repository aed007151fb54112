"""A defence: models that somebody saved, a claim about them, and its examination.

The judge builds the models itself, and computes every number again from text that they
were not trained on.

Who learns the held-out windows that are handed over reads them better than others of
the same part, and is found out. Who trains on *all* of the text that the kit comes with
is not: then there are no others, and all of it is read alike.
"""

import secrets
import tempfile
from collections.abc import Sequence
from copy import copy
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.errors import KitError
from kit.submission import (
    CONTEXT,
    LARGEST_FILE,
    MOST_MODELS,
    VOCABULARY,
    Saved,
    opened,
    size_of,
)

if TYPE_CHECKING:
    from kit.data import Batch, TextTask
    from kit.models import Transformer

SEEDS = 3  # or more
TEXT: dict[str, Any] = {
    "corpus": "docs",
    "tokenizer": {"bpe": VOCABULARY},
    "context_length": CONTEXT,
    "validation_tokens": 8192,
    "sampling": "epoch",
}
"""What models read, and what the end of it, which is held out, is cut into."""

READ = 256  # training windows that are handed over, and that are kept back
DRAWN = 50_000  # the seed that the training text is shuffled with
ROWS = 64  # windows that are read together
# In nats. Claims are rounded to three decimals; backends differ by a hundredth of that.
MEAN_OFF, HALF_OFF = 1e-3, 2e-3
LEARNT = 0.1  # nats, by which models have to be better than guessing: log 512
KNOWN = 0.3  # text that nobody trained on is not read so much better than other text
# In nats, root mean square over windows: models that count pairs in overlapping pieces
# of the text are 0.09 apart, and copies whose logits have a noise of 0.01 are 0.001.
COPY = 0.01


@cache
def task() -> "TextTask":
    """The text of the exercise, and how it is cut into tokens."""
    from kit.data import TextTask

    return TextTask(**TEXT)


@cache
def windows() -> tuple[np.ndarray, np.ndarray]:
    """(windows, 65) int32 each, handed over: training text, and what is judged."""
    return _joined(task().batch(0, READ, DRAWN)), _joined(task().validation())


@cache
def kept_back() -> tuple[np.ndarray, np.ndarray]:
    """(windows, 65) int32 each, never handed over: training text, and held-out text.

    They are drawn when they are first asked for, after a submission has run, so that
    nobody can learn just these.
    """
    step = 1 + secrets.randbelow(task().steps_per_epoch(READ) - 1)
    everything = copy(task())
    everything.validation_tokens = None
    handed_over = {window.tobytes() for window in windows()[1]}
    held_out = [
        window
        for window in _joined(everything.validation())
        if window.tobytes() not in handed_over
    ]
    rng = np.random.default_rng(secrets.randbits(63))
    return _joined(task().batch(step, READ, DRAWN)), rng.permutation(held_out)[:READ]


def _joined(batch: "Batch") -> np.ndarray:
    inputs, targets = batch
    return np.concatenate([inputs, targets[:, -1:]], axis=1)


@cache
def _everything() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="kit-defence-")


def new_folder() -> str:
    """An empty folder that is there until this process ends."""
    return tempfile.mkdtemp(dir=_everything().name)


def losses(models: Sequence[Saved]) -> np.ndarray:
    """(models, 3) The loss on the text that is judged, and on what was kept back of the
    held-out text and of the training text, in nats per token.

    Raises:
        KitError: A model cannot be built from what was handed in.
    """
    return np.array([[part.mean() for part in _losses(model)] for model in models])


def distance(a: Saved, b: Saved) -> float:
    """How far apart what two models say is: of their losses on each window that is
    judged, the root mean square of the differences, in nats.

    Copies are near each other however they are written down: with other names, with
    neurons in another order, or with a little noise.
    """
    return float(np.sqrt(np.mean((_losses(a)[0] - _losses(b)[0]) ** 2)))


@lru_cache(maxsize=MOST_MODELS)
def _losses(saved: Saved) -> tuple[np.ndarray, ...]:
    model = _built(saved)
    judged, (train, held_out) = windows()[1], kept_back()
    found = tuple(losses_of(model, part) for part in (judged, held_out, train))
    if not all(np.isfinite(part).all() for part in found):
        raise KitError(
            f"{saved.name} has a loss that is no finite number: its weights are too "
            "large to compute with",
            "Look at how it was trained",
        )
    return found


def losses_of(model: "Transformer", tokens: np.ndarray) -> np.ndarray:
    """Loss of a model on each window of tokens; a window is one longer than is read.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig(9, 8, 4, (), "none", initializer_std=0.0)
        >>> losses_of(build(config), np.zeros((2, 9), "int32")).round(3)  # log of 9
        array([2.197, 2.197])
    """
    from kit.training.scoring import token_losses

    found = []
    for start in range(0, len(tokens), ROWS):
        part = tokens[start : start + ROWS]
        found.append(np.asarray(token_losses(part[:, 1:], model(part[:, :-1]))))
    return np.concatenate(found).astype("float64").mean(axis=1)


def _built(saved: Saved) -> "Transformer":
    from kit.models import build, named_weights

    if size_of(saved) > LARGEST_FILE:  # such a model would not even be built
        raise KitError(f"{saved.name} is far too large", "Make it smaller")
    config, weights = opened(saved)
    try:
        model = build(config, seed=None)
    except Exception as error:  # what Keras has against it is a fault of the config
        raise KitError(
            f"a model cannot be built from {saved.name}.json: {str(error)[:200]}",
            "Save model.config.to_dict()",
        ) from error
    named = named_weights(model)
    wanted = {name: tuple(variable.shape) for name, variable in named.items()}
    there = {name: array.shape for name, array in weights.items()}
    differ = {n for n in {*wanted, *there} if wanted.get(n) != there.get(n)}
    if differ:
        name = min(differ)
        raise KitError(
            f"the weights of {saved.name} are not those of its config: {name!r} has "
            f"the shape {there.get(name, 'of nothing')} in the file and "
            f"{wanted.get(name, 'of nothing')} in the model",
            "Save both from the same model",
        )
    for name, array in weights.items():
        with np.errstate(over="ignore"):
            values = array.astype("float32")
        if array.dtype.kind != "f" or not np.isfinite(values).all():
            raise KitError(
                f"{saved.name} has weights in {name} that are no finite numbers",
                "Look at how it was trained",
            )
        named[name].assign(values)
    return model

"""From files to the data that a model is made smaller with, and judged by."""

from typing import NamedTuple

import numpy as np

from kit.checks import whole
from kit.compression.models import Trained
from kit.compression.parts import Parts, Tokens, read_parts
from kit.config import ModelConfig
from kit.data import Batch
from kit.errors import KitError
from kit.pruning import Calibration

LONGEST = 2048  # tokens of a sequence (2501.17771); a model may read fewer
SEARCH_TOKENS = 2048  # what removals of whole parts are judged by, likewise
JUDGED_TOKENS = 2**14  # enough for two digits of a perplexity
LEAST_TOKENS = 64


class Texts(NamedTuple):
    """What a model reads while it is made smaller, and what judges it afterwards.

    Args:
        calibration: The first.
        held_out: The second; the model is not chosen by it.
        about: In words, under the names of the two.

    Example:
        >>> Texts(calibration=None, held_out=None, about={})._fields
        ('calibration', 'held_out', 'about')
    """

    calibration: Calibration
    held_out: Batch
    about: dict[str, str]


def read_texts(
    trained: Trained,
    calibration: str,
    evaluate: str | None = None,
    sequences: int = 32,
    length: int | None = None,
) -> Texts:
    """Calibration and held-out data for a model.

    Each is a text in UTF-8 by its path, a corpus by its name, or token ids: a `.npy`
    file with a stream (tokens,) or with sequences (sequences, time), or a `.npz` file
    with `inputs` and `targets` of that second shape.

    Sequences are cut from the whole length of a text, at equal distances.

    Args:
        trained: The model and its tokenizer.
        calibration: What it reads while it is made smaller.
        evaluate: What it is judged by; by default the last fifth of `calibration`,
            which does not help to make it smaller. Where that is the corpus that a
            checkpoint of the kit's own was trained on, what it has not seen of it.
        sequences: How many of them, if the text is long enough; more where they would
            be fewer than 2048 tokens.
        length: Tokens of each; by default what the model can read, up to 2048, or as
            many as given sequences have.

    Raises:
        KitError: A file is missing, too short or of another kind, or nothing says how
            its text becomes tokens.

    Example:
        >>> from kit.data.tokenizers import CharacterTokenizer
        >>> from kit.models import build
        >>> words = CharacterTokenizer("abcdefghijklmnopqrstuvwxyz .,\\n")
        >>> config = ModelConfig.uniform(1, vocabulary_size=30, context_length=12)
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "rhyme.txt")
        ...     _ = path.write_text("one, two, buckle my shoe.\\n" * 20)
        ...     texts = read_texts(Trained("", build(config), words), str(path))
        >>> texts.calibration.batch.inputs.shape, texts.held_out.inputs.shape
        ((34, 12), (8, 12))
    """
    whole("sequences", sequences)
    config = trained.model.config
    parts = read_parts(trained, calibration, evaluate, length)
    time = common_length(parts, config, LONGEST, length)
    search = -(-SEARCH_TOKENS // time)
    shown = sequences_of(parts.data, time, max(sequences, search), config)
    held_out = sequences_of(parts.judged, time, max(1, JUDGED_TOKENS // time), config)
    count, time = shown.inputs.shape
    about = {
        "calibration": f"{count} sequences of {time} tokens from {parts.where}",
        "held_out": f"{held_out.inputs.size:,} tokens from {parts.source}",
    }
    return Texts(Calibration(shown, count, min(count, search)), held_out, about)


def common_length(
    parts: Parts, config: ModelConfig, longest: int, length: int | None = None
) -> int:
    """Tokens of a sequence that the model and both parts are long enough for.

    Rows are not cut, for the tokens that count may be their last.

    Raises:
        KitError: Rows have another length than those of the other part, or than asked.
    """
    asked = longest if length is None else min(length, config.context_length)
    rows = {x.inputs.shape[1] for x in parts[:2] if isinstance(x, Batch)}
    if not rows:
        return min(config.context_length, asked, len(parts.data), len(parts.judged))
    lengths = sorted(rows | (set() if length is None else {asked}))
    if len(lengths) > 1:
        raise KitError(
            f"sequences of {' and '.join(map(str, lengths))} tokens cannot go together",
            "Cut all rows of token ids to the same length, and leave out --length",
        )
    return lengths[0]


def sequences_of(data: Tokens, time: int, most: int, config: ModelConfig) -> Batch:
    """Up to `most` sequences, spread evenly, which the model can read."""
    if isinstance(data, Batch):
        places = _spread(len(data.inputs), most)
        found = Batch(data.inputs[places], data.targets[places])
        Calibration(found, 1, len(places)).check(config)
        return found
    if config.mask != "causal":
        raise KitError(
            f'with mask="{config.mask}" the model sees the next token of a text, so it '
            "cannot be judged by predicting it",
            "Give a .npz file with the arrays inputs and targets, such as those of "
            "task.batch(...)",
        )
    least = max(LEAST_TOKENS, time)
    if len(data) < least:
        raise KitError(
            f"a text of {len(data)} tokens is too short to measure anything",
            f"Give one with {least} tokens or more in each of its parts",
        )
    starts = _spread(len(data) // time, most) * time
    windows = Calibration(data[starts[:, None] + np.arange(time)], 1, len(starts))
    windows.check(config)
    return windows.without_padding(config.padding_id).batch


def _spread(count: int, most: int) -> np.ndarray:
    return np.arange(min(count, most)) * count // min(count, most)

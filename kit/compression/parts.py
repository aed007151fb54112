"""Tokens of a text, parted in what a model sees and what judges it."""

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from kit.checks import whole
from kit.compression.models import Trained
from kit.data import Batch
from kit.data.corpora import Corpus, load_corpus
from kit.errors import KitError
from kit.pretrained import held_out
from kit.pretrained.own_cards import corpus_of
from kit.pruning import Calibration

HELD_OUT = 0.2  # of a text, its end, where no other text is given
ARRAYS = (".npy", ".npz")
Tokens = Batch | np.ndarray  # sequences with targets, or a stream (tokens,)


class Parts(NamedTuple):
    """What a model sees, and what judges it; they share no token.

    Args:
        data: The first.
        judged: The second.
        where: In words, where the first comes from.
        source: Likewise the second.

    Example:
        >>> Parts(data=None, judged=None, where="docs", source="docs").where
        'docs'
    """

    data: Tokens
    judged: Tokens
    where: str
    source: str


def read_parts(
    trained: Trained, data: str, evaluate: str | None = None, length: int | None = None
) -> Parts:
    """The tokens of a text, and those of another one or of its own end.

    Of the corpus that a checkpoint of the kit's own was trained on, only what it has
    not seen can judge it: that ships with it, in rows of `length` tokens here.
    """
    read, judge = _read(data, trained), evaluate or data
    if length is not None:
        whole("length", length, least=2)
    if judge == data:
        seen, end = _split(read, data)
        where, source = (
            f"the first {1 - HELD_OUT:.0%} of {data}",
            (
                f"the last {HELD_OUT:.0%} of {data}, held out from making the model "
                "smaller, though perhaps not from its training"
            ),
        )
    else:
        seen, end, where, source = read, None, data, judge
    if corpus_of(trained.name) == judge:
        rows = seen.inputs.shape[1] if isinstance(seen, Batch) else length
        end = _cut(held_out(trained.name), rows)
        source = f"the part of {judge} that {trained.name} was not trained on"
    return Parts(seen, _read(judge, trained) if end is None else end, where, source)


def _cut(rows: Batch, length: int | None) -> Batch:
    """Rows of a text, in shorter pieces of this many tokens."""
    time = min(length or rows.inputs.shape[1], rows.inputs.shape[1])
    whole_pieces = rows.inputs.shape[1] // time * time
    return Batch(*(array[:, :whole_pieces].reshape(-1, time) for array in rows))


def _read(source: str, trained: Trained) -> Tokens:
    """A stream of token ids (tokens,), or sequences with targets."""
    if Path(source).suffix in ARRAYS:
        padding_id = trained.model.config.padding_id
        return _read_arrays(Path(source).expanduser(), padding_id)
    corpus = load_corpus(source)
    if trained.tokenizer is None:
        raise KitError(
            f"nothing says what the token ids of {trained.name} stand for: it has no "
            "tokenizer.json beside it",
            "Give --tokenizer: such a file, or the text that it was trained on; or "
            "give token ids as a .npy file",
        )
    try:
        return _tokens(corpus, trained)
    except KitError as error:
        raise KitError(
            f"{source}: {error.what}",
            "Give a text of the kind that the model was trained on",
        ) from None


def _tokens(corpus: Corpus, trained: Trained) -> np.ndarray:
    """Of all documents, with the end token after each if there are several."""
    tokenizer = trained.tokenizer
    if tokenizer is None:
        return np.zeros(0, "int32")
    documents = tokenizer.encode_corpus(corpus)
    if tokenizer.end_id is not None and len(documents) > 1:
        documents = [np.append(each, np.int32(tokenizer.end_id)) for each in documents]
    return np.concatenate(documents)


def _read_arrays(path: Path, padding_id: int | None) -> Tokens:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            if found.ndim == 1:
                return found
            return Calibration(found, 1).without_padding(padding_id).batch
        with found:
            return Calibration(Batch(found["inputs"], found["targets"]), 1).batch
    except FileNotFoundError:
        raise KitError(f"{path} does not exist", "Check the path") from None
    except KitError:
        raise
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        raise KitError(
            f"{path} holds no token ids ({error})",
            "Give a .npy file of whole numbers, or a .npz file with the arrays inputs "
            "and targets",
        ) from None


def _split(data: Tokens, name: str) -> tuple[Tokens, Tokens]:
    """The beginning and the end, which share no token."""
    rows = data.inputs if isinstance(data, Batch) else data
    cut = len(rows) - max(1, round(len(rows) * HELD_OUT))
    if cut < 1:
        raise KitError(
            f"{name} is too short to hold a part of it out",
            "Give a longer one, or another one to judge by: --evaluate",
        )
    if isinstance(data, Batch):
        inputs, targets = data
        return Batch(inputs[:cut], targets[:cut]), Batch(inputs[cut:], targets[cut:])
    return data[:cut], data[cut:]

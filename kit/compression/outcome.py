"""What a command tells of a smaller model, and where it leaves that."""

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import kit
from kit.compression.models import Trained
from kit.compression.output import PAGE, save, staged
from kit.compression.page import Figure, Table, render_page
from kit.models import Transformer


class Outcome(NamedTuple):
    """What is told of a smaller model, in the terminal and on its page.

    Args:
        title: What was done, to which model.
        sentences: What changed, and what became of it.
        tables: The numbers.
        notes: On what was measured how.
        folder: Where everything lies.

    Example:
        >>> Outcome("", (), (), (), Path("smaller")).folder.name
        'smaller'
    """

    title: str
    sentences: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]
    folder: Path


def deliver(
    outcome: Outcome,
    trained: Trained,
    model: Transformer,
    record: Mapping[str, Any],
    figures: Sequence[Figure],
    command: Sequence[str],
) -> None:
    """Save the smaller model with its tokenizer and record, and then its page.

    Args:
        outcome: What the page tells.
        trained: The model before.
        model: The smaller one.
        record: How it came to be, as plain data.
        figures: Of the page.
        command: What does it again.

    Raises:
        KitError: The folder cannot be written.
    """
    about = {"kit": kit.__version__, "model": trained.name}
    save(outcome.folder, model, trained.tokenizer, about | dict(record))
    title, sentences, tables, notes, _ = outcome
    page = render_page(title, sentences, tables, figures, notes, shlex.join(command))
    with staged(outcome.folder) as new:
        (new / PAGE).write_text(page, encoding="utf-8")


def doubts(loss: float, vocabulary_size: int) -> list[str]:
    """A sentence where a model knew nothing of the text before anything was done.

    Args:
        loss: Of the model before, in nats.
        vocabulary_size: Its number of tokens.

    Example:
        >>> doubts(2.0, vocabulary_size=100), len(doubts(5.0, vocabulary_size=100))
        ([], 1)
    """
    if loss <= math.log(vocabulary_size):  # of who finds all tokens equally likely
        return []
    return [
        "The model predicted the held-out text worse than by guessing before anything "
        "was done: is that its tokenizer, and text of its kind?"
    ]

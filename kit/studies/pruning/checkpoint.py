"""A real checkpoint, pruned by a text and judged on others."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kit.data import IGNORED, Batch, Corpus, load_corpus
from kit.data.tokenizers import Tokenizer
from kit.errors import KitError
from kit.pretrained import load
from kit.pruning import Calibration
from kit.studies.pruning.measures import CALIBRATED, score
from kit.studies.pruning.variants import pruned

CHARACTERS = 12  # of a text for each token that is wanted: more than enough
SENTENCE_END = re.compile(r"(?<= )([A-Za-z]{2,})[.!?]")

Result = dict[str, Any]


def prepare(spec: Mapping[str, Any]) -> Callable[..., Result]:
    """Load model and texts once; the returned function does one seed.

    A seed draws its calibration data, and what the models are judged on.
    """
    time = spec["time"]
    model, tokenizer = load(spec["checkpoint"], context_length=time)
    if tokenizer is None:
        raise KitError(
            f"{spec['checkpoint']} comes without a tokenizer, so it can read no text",
            "Choose another checkpoint",
        )
    calibration = joined(load_corpus(spec["calibration"]["corpus"]))
    texts = {name: joined(held_out(load_corpus(name))) for name in spec["texts"]}
    stories = joined(held_out(load_corpus(spec["last_words"]["corpus"])))

    def run(seed: int, progress: Callable[[float], None]) -> Result:
        smaller, found = model, {"reached": 0.0}
        if spec["method"] is not None:
            rng = np.random.default_rng(CALIBRATED + seed)
            plan = spec["calibration"]
            tokens = windows(calibration, tokenizer, plan["sequences"], time, rng)
            data = Calibration(tokens, plan["sequences"], plan["search"])
            smaller, record = pruned(
                spec["method"], model, data, spec["sparsity"], seed, {}
            )
            found = {
                "reached": record.reached,
                "seconds": record.seconds["all"],
                "evaluations": record.block_evaluations,
            }
        progress(0.5)
        for number, (name, text) in enumerate(texts.items(), 1):
            rng = np.random.default_rng([seed, number])
            tokens = windows(text, tokenizer, spec["windows"], time + 1, rng)
            batch = Batch(tokens[:, :-1], tokens[:, 1:])
            loss = np.mean(score(smaller, batch).loss, dtype="float64")
            found[f"{name}_loss"] = float(loss)
            progress(0.5 + 0.2 * number)
        rng = np.random.default_rng([seed, 0])
        words = spec["last_words"]
        batch = last_words(stories, tokenizer, words["passages"], words["time"], rng)
        found["last_word_accuracy"] = all_right(score(smaller, batch).correct, batch)
        return {"status": "finished", "metrics": found}

    return run


def held_out(corpus: Corpus) -> Corpus:
    """The part of a corpus that was published for validation; all where there is none.

    What a checkpoint of others has read, nobody here knows.
    """
    if corpus.num_validation is None:
        return corpus
    return Corpus(corpus.name, corpus.documents[-corpus.num_validation :])


def joined(corpus: Corpus) -> str:
    """The documents of a corpus in one."""
    return "\n\n".join(corpus.documents)


def windows(
    text: str, tokenizer: Tokenizer, count: int, time: int, rng: np.random.Generator
) -> np.ndarray:
    """Stretches of a text that begin with a word, (count, time) int32.

    Example:
        >>> from kit.data.tokenizers import CharacterTokenizer
        >>> text, rng = "one two three " * 20, np.random.default_rng(0)
        >>> windows(text, CharacterTokenizer("enohrtw "), 2, 8, rng).shape
        (2, 8)
    """
    length = min(CHARACTERS * time, len(text) // 2)
    found: list[np.ndarray] = []
    while len(found) < count:
        start = int(rng.integers(len(text) - length))
        ids = tokenizer.encode(text[start : start + length].split(" ", 1)[-1])
        if len(ids) >= time:
            found.append(ids[:time])
    return np.stack(found).astype("int32")


def last_words(
    text: str, tokenizer: Tokenizer, count: int, time: int, rng: np.random.Generator
) -> Batch:
    """Passages that end with the last word of a sentence, which is what is asked.

    Args:
        text: Where they come from.
        tokenizer: Of the model.
        count: Passages.
        time: Most tokens of a passage, without the first word's beginning.
        rng: Draws.

    Returns:
        (count, time - 1) inputs, and targets at the tokens of the last word.

    Example:
        >>> from kit.data.tokenizers import CharacterTokenizer
        >>> text, rng = "the cat sat on the mat. " * 9, np.random.default_rng(0)
        >>> letters = CharacterTokenizer("acehmnost .")
        >>> inputs, targets = last_words(text, letters, 1, 12, rng)
        >>> int((targets != IGNORED).sum()), inputs.shape
        (4, (1, 11))
    """
    ends = list(SENTENCE_END.finditer(text))
    inputs = np.zeros((count, time - 1), "int32")
    targets = np.full((count, time - 1), IGNORED, "int32")
    row = 0
    while row < count:
        end = ends[int(rng.integers(len(ends)))]
        before = text[max(0, end.start() - CHARACTERS * time) : end.start() - 1]
        word = tokenizer.encode(f" {end[1]}")
        ids = np.concatenate([tokenizer.encode(before), word])[-time:]
        if len(word) >= time or len(ids) < time:
            continue
        inputs[row] = ids[:-1]
        targets[row, -len(word) :] = ids[-len(word) :]
        row += 1
    return Batch(inputs, targets)


def all_right(correct: np.ndarray, batch: Batch) -> float:
    """The share of rows (rows, time) with every target right.

    Example:
        >>> targets = np.array([[IGNORED, 3, 4], [IGNORED, IGNORED, 5]])
        >>> right = np.array([[False, True, False], [False, False, True]])
        >>> all_right(right, Batch(targets, targets))
        0.5
    """
    return float(np.mean((correct | (batch.targets == IGNORED)).all(axis=1)))

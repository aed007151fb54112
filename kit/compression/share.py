"""`kit share`: a trained model from a file to one whose blocks share attention maps."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kit.checks import whole
from kit.compression.costs import Costs, compared, counted
from kit.compression.figures import costs_figure
from kit.compression.models import Trained, open_model
from kit.compression.outcome import Outcome, deliver, doubts
from kit.compression.output import check_output, check_space
from kit.compression.page import Figure, Table
from kit.compression.progress import progress_of
from kit.compression.tasks import Lesson, read_task
from kit.config import ModelConfig
from kit.errors import known
from kit.pruning import perplexity
from kit.sharing import (
    MEASURES,
    RULES,
    STAGE,
    Record,
    attend_copy_adjust,
    stage,
)
from kit.sharing import figures as draw
from kit.studies.summary import duration
from kit.training import TrainConfig

LOGITS_AT_ONCE = 2**26  # of a training step: 0.25 GB, of which there are several
STEPS = {  # name of a loss to that of the step after which it was measured
    "before": "judging",
    "copied": "copying",
    "distilled": "distilling",
    "adjusted": "adjusting",
}
Stages = dict[str, TrainConfig | None]


def share_file(
    name: str,
    data: str,
    out: Path,
    *,
    rate: float = 0.4,
    steps: int = STAGE.steps,
    adjust_steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float = STAGE.learning_rate,
    evaluate: str | None = None,
    tokenizer: str | None = None,
    length: int | None = None,
    force: bool = False,
    settings: Mapping[str, Any] | None = None,
    command: Sequence[str] = (),
) -> Outcome:
    """Share the maps of a model by its name or path, train it, and save it.

    Args:
        name, tokenizer: As for `open_model`.
        data, evaluate, length: As for `read_task`.
        out: Folder of `model.keras`, `tokenizer.json`, `record.json` and `page.html`.
        rate, settings: As for `attend_copy_adjust`; of the sequences, at most as many
            as the text holds.
        steps: Of the distillation; 0 leaves it out.
        adjust_steps: Of the training after it; by default a quarter of `steps`.
        batch_size: Sequences of a step; by default 16, or as many as fit where the
            vocabulary is large.
        learning_rate: The highest of each training.
        force: Take the place of what a former run left in the folder.
        command: What does it again, for the page.

    Raises:
        KitError: Anything given is bad, or training diverged; nothing is written then.

    Example:
        >>> share_file("gpt.keras", "docs", Path("new"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: 'gpt.keras' is no file and no checkpoint. ...
    """
    how: dict[str, Any] = dict(settings or {})
    known("rule", how.get("rule", RULES[0]), RULES)
    known("measure", how.get("measure", MEASURES[0]), MEASURES)
    check_output(out, force)
    trained = open_model(name, tokenizer)
    check_space(out, trained.model)
    lesson = read_task(trained, data, evaluate, length)
    if batch_size is None:
        batch_size = _fitting(trained.model.config, lesson)
    whole("batch_size", batch_size)  # also where there are no steps
    stages: Stages = {
        "distilling": stage(steps, batch_size, learning_rate),
        "adjusting": stage(
            steps // 4
            if adjust_steps is None
            else whole("adjust_steps", adjust_steps, least=0),
            batch_size,
            learning_rate,
        ),
    }
    lesson.task.batch(0, batch_size, 0)  # what does not fit is told at once
    how |= stages
    if "sequences" in how:
        how["sequences"] = min(how["sequences"], lesson.task.sequences)
    model, record = attend_copy_adjust(
        trained.model, lesson.task, rate, progress=progress_of, **how
    )
    time, losses = lesson.task.context_length, list(record.losses.values())
    before = counted(trained.model.config, time, losses[0])
    after = counted(model.config, time, losses[-1])
    outcome = _outcome(trained, lesson, stages, record, before, after, out)
    about = {
        "texts": lesson.about,
        "settings": {
            name: x.to_dict() if hasattr(x, "to_dict") else x for name, x in how.items()
        },
        "before": before.to_dict(),
        "after": after.to_dict(),
        "record": record.to_dict(),
    }
    deliver(outcome, trained, model, about, _figures(record, before, after), command)
    return outcome


def _fitting(config: ModelConfig, lesson: Lesson) -> int:
    logits = config.vocabulary_size * lesson.task.context_length
    return max(1, min(STAGE.batch_size, LOGITS_AT_ONCE // logits))


def _outcome(
    trained: Trained,
    lesson: Lesson,
    stages: Stages,
    record: Record,
    before: Costs,
    after: Costs,
    out: Path,
) -> Outcome:
    seconds, time = record.seconds, lesson.task.context_length
    title = f"{trained.name} with {record.reached:.1%} of its attention maps copied"
    sentences = [
        *_who_copies(record),
        *doubts(before.loss, lesson.task.vocabulary_size),
    ]
    tables = [compared(before, after), _blocks(record), _saved(record), _losses(record)]
    chosen = f"Rule {record.rule}"
    if record.rate is not None:
        chosen += f", rate {record.rate:g}"
    notes = [
        f"{chosen}; similarity by the measure {record.measure}, mean over sequences of "
        f"{time} tokens. By chance: the same rows with what they attend to in a random "
        "order, beyond the first token.",
        f"{'Learnt from' if record.history else 'Looked at'}: {lesson.about['data']}.",
        *(_training(name, how, time) for name, how in stages.items() if how),
        f"Losses, in nats, and perplexities are those of {lesson.about['held_out']}; "
        "operations are counted for sequences of that length.",
        f"All of it took {duration(seconds['all'])}, looking at the maps "
        f"{duration(seconds['attending'])}.",
    ]
    return Outcome(title, sentences, tables, notes, out)


def _training(name: str, how: TrainConfig, time: int) -> str:
    return (
        f"{name.capitalize()}: {how.steps} steps of {how.batch_size} sequences of "
        f"{time} tokens, at a learning rate of {how.learning_rate:g} at most."
    )


def _who_copies(record: Record) -> list[str]:
    """`3 of 8 blocks copy: 3 from 2, ...`, and how alike those pairs are."""
    copies, total = record.copies, len(record.choices)
    if not copies:
        return ["No block copies the map of another."]
    pairs = ", ".join(f"{block} from {source}" for block, source in copies.items())
    found = [f"{len(copies)} of {total} blocks copy the map of another: {pairs}."]
    if record.similarity is not None:
        index = record.similarity.blocks.index
        places = tuple(np.array([(index(b), index(s)) for b, s in copies.items()]).T)
        value, null = (
            matrices[record.measure][places].mean()
            for matrices in (record.similarity.values, record.similarity.null)
        )
        found.append(
            f"The maps of these pairs have a similarity of {value:.2f}, where chance "
            f"gives {null:.2f}."
        )
    return found


def _blocks(record: Record) -> Table:
    rows = [
        (
            str(choice.block),
            f"{choice.similarity:.3f}",
            f"{choice.null:.3f}",
            "own" if choice.source is None else f"of {choice.source}",
            choice.why,
        )
        for choice in record.choices
    ]
    header = ("block", "similarity", "by chance", "map", "why")
    return Table(header, rows, words=(4,))


def _saved(record: Record) -> Table:
    names = ("parameters", "FLOPs per token", "cached numbers per token")
    pairs = zip(names, record.saved or (), record.formula or (), strict=False)
    rows = [(name, f"{saved:,}", f"{formula:,}") for name, saved, formula in pairs]
    return Table(("saved", "counted", "by the formula"), rows)


def _losses(record: Record) -> Table:
    rows = [
        (
            name,
            f"{loss:.4f}",
            f"{perplexity(loss):.4g}",
            "" if name == "before" else duration(record.seconds[STEPS[name]]),
        )
        for name, loss in record.losses.items()
    ]
    return Table(("held-out text", "loss", "perplexity", "time"), rows)


def _figures(record: Record, before: Costs, after: Costs) -> list[Figure]:
    perplexities = {name: perplexity(loss) for name, loss in record.losses.items()}
    found = [
        costs_figure(before, after, perplexities),
        Figure(
            "How alike the attention maps of each two blocks are, and how alike they "
            "would be if each row attended to other tokens as sharply. Framed: who "
            "copies from whom.",
            partial(draw.map_heatmaps, record),
        ),
        Figure(
            "Mean similarity of each block's map with those of the others.",
            partial(draw.block_similarity, record),
        ),
    ]
    if record.history:
        found.append(
            Figure(
                "The loss on held-out text, from the copying on; and the loss that "
                "each training lowers, which in distillation is the distance from the "
                "model before.",
                partial(draw.loss_curves, record),
            )
        )
    return found

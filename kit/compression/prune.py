"""`kit prune`: a trained model from a file to a smaller one in a folder."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kit.compression.costs import Costs, compared, costs_of
from kit.compression.figures import costs_figure
from kit.compression.models import Trained, open_model
from kit.compression.outcome import Outcome, deliver, doubts
from kit.compression.output import check_output, check_space
from kit.compression.page import Figure
from kit.compression.progress import progress_of
from kit.compression.texts import Texts, read_texts
from kit.config import ModelConfig
from kit.pruning import Record, prune
from kit.pruning import figures as draw
from kit.pruning.allocation import check_sparsity
from kit.pruning.methods import check_method
from kit.studies.summary import duration


def prune_file(
    name: str,
    calibration: str,
    out: Path,
    *,
    sparsity: float = 0.25,
    method: str = "2ssp",
    evaluate: str | None = None,
    tokenizer: str | None = None,
    sequences: int = 32,
    length: int | None = None,
    seed: int = 0,
    force: bool = False,
    settings: Mapping[str, Any] | None = None,
    command: Sequence[str] = (),
) -> Outcome:
    """Prune a model by its name or path, judge both, and save the smaller one.

    Args:
        name, tokenizer: As for `open_model`.
        calibration, evaluate, sequences, length: As for `read_texts`.
        out: Folder of `model.keras`, `tokenizer.json`, `record.json` and `page.html`.
        sparsity, method, seed, settings: As for `kit.pruning.prune`.
        force: Take the place of what a former run left in the folder.
        command: What does it again, for the page.

    Raises:
        KitError: Anything given is bad; nothing is written then.

    Example:
        >>> prune_file(  # doctest: +ELLIPSIS
        ...     "gpt.keras", "docs", Path("new"), method="2spp"
        ... )
        Traceback (most recent call last):
        ...
        kit.errors.KitError: unknown method '2spp'. Did you mean '2ssp'? ...
    """
    settings = dict(settings or {})
    check_sparsity(sparsity)
    check_method(method, settings)
    check_output(out, force)
    trained = open_model(name, tokenizer)
    check_space(out, trained.model)
    texts = read_texts(trained, calibration, evaluate, sequences, length)
    with progress_of("pruning") as report:
        model, record = prune(
            trained.model,
            texts.calibration,
            sparsity,
            method,
            seed=seed,
            progress=report,
            **settings,
        )
    start = time.perf_counter()
    before, after = _judged(trained, model, texts)
    record.seconds["judging"] = time.perf_counter() - start
    outcome = _outcome(trained, model.config, texts, record, before, after, out)
    about = {
        "texts": texts.about,
        "settings": {"seed": seed, **settings},
        "before": before.to_dict(),
        "after": after.to_dict(),
        "record": record.to_dict(),
    }
    figures = _figures(trained.model.config, record, before, after)
    deliver(outcome, trained, model, about, figures, command)
    return outcome


def _judged(trained: Trained, model: Any, texts: Texts) -> tuple[Costs, Costs]:
    with progress_of("judging") as report:
        before = costs_of(trained.model, texts.held_out, lambda s: report(s / 2))
        after = costs_of(
            model, texts.held_out, lambda s: report((1 + s) / 2), trained.model
        )
    return before, after


def _outcome(
    trained: Trained,
    config: ModelConfig,
    texts: Texts,
    record: Record,
    before: Costs,
    after: Costs,
    out: Path,
) -> Outcome:
    seconds = record.seconds
    title = f"{trained.name} without {record.reached:.1%} of its blocks' parameters"
    sentences = [
        _what_went(trained.model.config, config, record),
        *doubts(before.loss, config.vocabulary_size),
    ]
    notes = [
        f"Method {record.method}, sparsity {record.sparsity:g}; "
        f"{record.reached:.2%} of the parameters of the blocks went.",
        f"Calibration: {texts.about['calibration']}.",
        f"The perplexities of the table are those of {texts.about['held_out']}; "
        "operations are counted for sequences of that length.",
        f"Pruning took {duration(seconds['all'])} ({record.candidates} candidates, "
        f"{record.block_evaluations:,} evaluations of a block), judging both models "
        f"{duration(seconds['judging'])}.",
    ]
    return Outcome(title, sentences, [compared(before, after)], notes, out)


def _what_went(old: ModelConfig, new: ModelConfig, record: Record) -> str:
    """`Gone: 2 of 12 attentions (5, 7), 100 of 256 neurons of each feed-forward.`"""
    gone = []
    for kind, name in (("attention", "attentions"), ("feed_forward", "feed-forwards")):
        blocks = [str(part.block) for part in record.parts if part.kind == kind]
        if blocks:
            count = sum(getattr(block, kind) is not None for block in old.blocks)
            gone.append(f"{len(blocks)} of {count} {name} ({', '.join(blocks)})")
    for block, kept in list(record.neurons.items())[:1]:
        neurons = old.feed_forward_dim(old.blocks[block])
        if len(kept) < neurons:
            gone.append(
                f"{neurons - len(kept)} of {neurons} neurons of each feed-forward"
            )
    if new.width != old.width:
        gone.append(f"{old.width - new.width} of {old.width} columns of the stream")
    return f"Gone: {', '.join(gone) or 'nothing'}."


def _figures(
    config: ModelConfig, record: Record, before: Costs, after: Costs
) -> list[Figure]:
    found = [
        costs_figure(before, after),
        Figure(
            "The blocks from first to last. A cross is an attention that went; the "
            "filled part of a feed-forward is the share of its neurons that stayed.",
            partial(draw.removed_parts, config, record),
        ),
    ]
    if record.removals or "narrowed" in record.perplexity:
        found.append(
            Figure(
                "Perplexity of the calibration text after each step. Grey: what each "
                "part that could have gone at that step would have cost.",
                partial(draw.perplexity_of_removals, record),
            )
        )
    if record.scores:
        shown, count = len(draw.shown_blocks(record)), len(record.scores)
        some = f" {shown} of {count} blocks are shown." if shown < count else ""
        found.append(
            Figure(
                "How the scores of the neurons lie in each block; the lowest went."
                f"{some}",
                partial(draw.score_histograms, record),
            )
        )
    if record.part_scores:
        found.append(
            Figure(
                "What the method judged by: where it is lowest, least is lost.",
                partial(draw.judged_parts, record.part_scores, record),
            )
        )
    return found

"""How a model with shared maps came to be, as plain numbers beside it."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kit.models import Transformer
from kit.sharing.selection import Copies, Scores, inner_blocks, largest_gap
from kit.sharing.share import Savings
from kit.sharing.similarity import MapSimilarity
from kit.training.continued import Continued

FIRST = "no block before it has a map"
REASONS = {  # why a block copies, and why not
    "most-similar": ("among the most similar", "less similar"),
    "least-similar": ("among the least similar", "more similar"),
    "random": ("drawn", "not drawn"),
    "named": ("named", "not named"),
}


class Choice(NamedTuple):
    """What became of a block's map, and why.

    Args:
        block: Index.
        similarity: Mean similarity with the maps of the other blocks.
        null: The same under the null model.
        source: The block whose map it copies; `None` where it keeps its own.
        why: In words.

    Example:
        >>> Choice(3, similarity=0.8, null=0.6, source=2, why="named").source
        2
    """

    block: int
    similarity: float
    null: float
    source: int | None
    why: str


@dataclass
class Record:
    """What was found alike, who copies from whom, and what that cost and saved.

    Args:
        rate: The share of the blocks with attention that was asked to copy; `None`
            where they were named.
        rule: How they were chosen: a name of `RULES`, or `"named"`.
        measure: Of the similarity that they were chosen by.
        reached: The share that copies now.
        similarity: Of all maps, under each measure, beside the null model.
        choices: Block by block, what became of its map.
        heads: Block to its new order of heads, where heads were matched.
        saved: Parameters, operations and keys, counted on both models.
        formula: The same by the closed formula.
        losses: On the held-out data, in nats: `"before"`, `"copied"`, and as far as
            there was training `"distilled"` and `"adjusted"`.
        history: Rows of the training runs, under the last two names.
        seconds: Of each step, and of all.

    Example:
        >>> record = Record(0.4, "named", "cosine", choices=[Choice(1, 0, 0, 0, "")])
        >>> record.copies, record.to_dict()["choices"][0]["source"]
        ({1: 0}, 0)
    """

    rate: float | None
    rule: str
    measure: str
    reached: float = 0.0
    similarity: MapSimilarity | None = field(default=None, repr=False)
    choices: list[Choice] = field(default_factory=list)
    heads: dict[int, Any] = field(default_factory=dict)
    saved: Savings | None = None
    formula: Savings | None = None
    losses: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[dict[str, float]]] = field(default_factory=dict, repr=False)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def copies(self) -> Copies:
        """Block to the block whose map it copies."""
        return {c.block: c.source for c in self.choices if c.source is not None}

    def note(self, stage: str, trained: Continued) -> None:
        """Keep the losses and the history of a training run."""
        self.losses.setdefault("copied", trained.before["loss"])
        self.losses[stage] = trained.after["loss"]
        self.history[stage] = trained.run.history

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return vars(self) | {
            "similarity": self.similarity and self.similarity.to_dict(),
            "choices": [choice._asdict() for choice in self.choices],
            "heads": {str(block): order for block, order in self.heads.items()},
            "saved": self.saved and self.saved._asdict(),
            "formula": self.formula and self.formula._asdict(),
        }


class Shared(NamedTuple):
    """A model whose blocks share maps, and how it came to be.

    Args:
        model: An ordinary kit model.
        record: What was found, chosen, saved and lost.

    Example:
        >>> Shared(model=None, record=Record(0.4, "named", "cosine")).record.copies
        {}
    """

    model: Transformer
    record: Record


def explain(
    rule: str, scores: Scores, copies: Copies, before: Copies
) -> dict[int, str]:
    """Why each block copies or keeps its map.

    Args:
        rule: How the blocks were chosen.
        scores: Of the blocks with a map of their own.
        copies: Who copies from whom now.
        before: Who did before.

    Example:
        >>> explain("named", {0: 0.5, 1: 0.6}, {1: 0, 2: 0}, {2: 1})[2]
        'copied block 1 before'
    """
    reasons = dict.fromkeys(scores, "nothing was to copy")
    if copies and rule == "largest-gap":
        reasons = _of_the_gap(scores, copies)
    elif copies:
        copying, keeping = REASONS[rule]
        reasons = {b: copying if b in copies else keeping for b in scores}
        reasons[min(scores)] = FIRST
    kept = {block: f"copied block {source} before" for block, source in before.items()}
    return reasons | kept


def _of_the_gap(scores: Scores, copies: Copies) -> dict[int, str]:
    inner, cut, reasons = inner_blocks(scores), largest_gap(scores), {}
    for block, score in scores.items():
        where = "above" if score >= cut else "below"
        reasons[block] = f"{where} the largest gap"
        if block in inner and block not in copies:
            reasons[block] += ", first of its group"
        elif where == "above" and block not in inner:
            reasons[block] += ", but apart from the others"
    return reasons

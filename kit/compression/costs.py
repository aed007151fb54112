"""What a model costs and how well it predicts, before and after."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from kit.compression.page import Table
from kit.config import ModelConfig
from kit.data import IGNORED, Batch
from kit.models import Transformer, flops_per_token, parameter_counts
from kit.pruning import Evaluator, Pieces, block_parameters, perplexity

TOKENS_AT_ONCE = 2048  # a large vocabulary's logits of so many are 0.4 GB


@dataclass(frozen=True)
class Costs:
    """What a model costs, and its loss on held-out text.

    Args:
        parameters: Of the whole model.
        block_parameters: Of its blocks, which sparsity is a share of.
        flops: Floating-point operations per token of a forward pass.
        loss: Mean over the targets, in nats.

    Example:
        >>> Costs(100, 80, 200, loss=0.0).to_dict()["perplexity"]
        1.0
    """

    parameters: int
    block_parameters: int
    flops: int
    loss: float

    @property
    def perplexity(self) -> float:
        """exp of the loss."""
        return perplexity(self.loss)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"perplexity": self.perplexity}


def counted(config: ModelConfig, time: int, loss: float) -> Costs:
    """The costs of a model whose loss is known.

    Args:
        config: Of the model.
        time: Tokens of a sequence, for which operations are counted.
        loss: On held-out text, in nats.

    Example:
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> counted(config, time=12, loss=0.0).parameters
        51200
    """
    return Costs(
        sum(parameter_counts(config).values()),
        block_parameters(config),
        flops_per_token(config, time),
        loss,
    )


def costs_of(
    model: Transformer,
    held_out: Batch,
    report: Callable[[float], None] = lambda share: None,
    dense: Transformer | None = None,
) -> Costs:
    """Count a model's parameters and operations, and judge it.

    Args:
        model: A kit model.
        held_out: Inputs and targets.
        report: Called with the share of the work that is done.
        dense: The model that it was made from: what is compiled for that one serves.

    Example:
        >>> import numpy as np
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> tokens = np.arange(24).reshape(2, 12) % 14
        >>> found = costs_of(build(config), Batch(tokens, tokens))
        >>> found.parameters, round(found.perplexity)
        (51200, 8)
    """
    pieces = Pieces(model, before=None if dense is None else Pieces(dense))
    loss = _mean_loss(pieces, held_out, report)
    return counted(model.config, held_out.inputs.shape[1], loss)


def _mean_loss(pieces: Pieces, batch: Batch, report: Callable[[float], None]) -> float:
    """In nats; the logits of a few sequences are held at a time."""
    count, time = batch.inputs.shape
    size = max(1, TOKENS_AT_ONCE // time)
    total, kept = 0.0, 0
    for start in range(0, count, size):
        part = Batch(*(array[start : start + size] for array in batch))
        here = int((part.targets != IGNORED).sum())
        if here:
            total += here * Evaluator(pieces.model, part, pieces=pieces).loss()
            kept += here
        report(min(1.0, (start + size) / count))
    return total / kept


def compared(before: Costs, after: Costs) -> Table:
    """Name, before, after and change of each cost.

    Example:
        >>> found = compared(Costs(100, 80, 200, 0.0), Costs(70, 50, 130, 0.5))
        >>> found.rows[0]
        ('parameters', '100', '70', '-30.0 %')
        >>> found.rows[-1]
        ('perplexity', '1', '1.649', '× 1.649')
    """
    counts = {
        "parameters": "parameters",
        "block_parameters": "parameters of the blocks",
        "flops": "FLOPs per token",
    }
    lines = []
    for field, name in counts.items():
        old, new = getattr(before, field), getattr(after, field)
        change = f"{new / old - 1:+.1%}".replace("%", " %") if old else ""
        lines.append((name, f"{old:,}", f"{new:,}", change))
    ratio = perplexity(after.loss - before.loss)
    old, new = (f"{each:.4g}" for each in (before.perplexity, after.perplexity))
    lines.append(("perplexity", old, new, f"× {ratio:.4g}"))
    return Table(("", "before", "after", "change"), lines)

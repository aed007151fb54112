"""2SSP: neurons first, attentions second (Sandri, Cunegatti and Iacca, 2501.17771)."""

from typing import Any

from kit.models import Transformer
from kit.pruning.adapters import Prunable
from kit.pruning.allocation import ALPHA, allocate
from kit.pruning.operation import Operation
from kit.pruning.record import Pruned
from kit.pruning.surgery import parts_of


def two_stage(
    model: Transformer | Prunable,
    calibration: Any,
    sparsity: float,
    *,
    rule: str | int = "2ssp",
    alpha: float = ALPHA,
    score: str = "l2",
    **options: Any,
) -> Pruned:
    """Prune a model in two stages; the one given is not changed.

    Stage 1 keeps the neurons with the highest scores, the same number in every block.
    Stage 2 removes attentions one by one, each time the one without which the
    perplexity is lowest. There is no training, and no weight changes.

    As in the paper, but that an attention takes its norm along. The scores are those
    of 32 sequences, the perplexity that of the first of them; `Calibration` says
    otherwise.

    Args:
        model: A kit model, causal or an encoder, whose blocks are equal in size; or any
            other that is `Prunable`, such as a `FunctionalModel`.
        calibration: A `Calibration`, or its data: token ids (sequences, time), or a
            `Batch`. Not what the smaller model is judged by afterwards.
        sparsity: Share of the parameters of the blocks to remove.
        rule: How many attentions go: `"2ssp"` (the closed rule), `"even"`,
            `"feed-forward"` (none), or the number itself.
        alpha: Of the closed rule.
        score: What a neuron is worth: a name of `kit.pruning.SCORES`.
        **options: `seed` and `progress` of `Operation`.

    Returns:
        The smaller model, of the kind that was given, and a `Record`.

    Raises:
        NotReached: The rule cannot meet the sparsity on this model.
        KitError: The calibration data, the sparsity or the model are bad; nothing was
            done then.

    Example:
        >>> import numpy as np
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> from kit.pruning import Calibration
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> tokens = np.random.default_rng(0).integers(14, size=(8, 12))
        >>> data = Calibration(tokens, sequences=8)
        >>> smaller, record = two_stage(build(config), data, sparsity=0.5)
        >>> len(record.parts), smaller.config.blocks[0].feed_forward_dim
        (2, 127)
        >>> round(record.reached, 2), record.candidates
        (0.5, 7)
    """
    operation = Operation("2ssp", model, calibration, sparsity, **options)
    in_two_stages(operation, rule, alpha, score)
    return operation.finish()


def in_two_stages(
    operation: Operation,
    rule: str | int = "2ssp",
    alpha: float = ALPHA,
    score: str = "l2",
) -> None:
    """The method itself; see `two_stage`."""
    split = allocate(operation.base, operation.sparsity, rule, alpha)
    attentions = parts_of(operation.base, "attention")
    operation.expect_removals(split.num_attentions, attentions)
    operation.narrow(split.num_neurons, score)
    operation.remove_greedily(
        attentions, lambda gone: len(gone) == split.num_attentions
    )

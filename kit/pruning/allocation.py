"""How much goes where: one definition of sparsity, and rules that split it.

Sparsity is the share of the parameters of all blocks, norms and gains included, without
the embeddings, the final norm and the head (2SSP, 2501.17771).
"""

import math
from collections.abc import Callable
from numbers import Real
from typing import NamedTuple

from kit.checks import whole
from kit.config import ModelConfig
from kit.errors import KitError, known
from kit.pruning.outline import Outline

ALPHA = 1.5  # the paper's

AnyConfig = ModelConfig | Outline  # of a kit model, or of any other


class NotReached(KitError):
    """The method cannot meet this sparsity on this model, but may meet another one.

    Whoever draws a curve over the sparsity ends it here. Everything else that a method
    raises is a mistake in what it was given.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> allocate(config, 0.9, "feed-forward")
        Traceback (most recent call last):
        ...
        kit.pruning.allocation.NotReached: without 0 attentions and without any ...
    """


class Allocation(NamedTuple):
    """What to remove from a model of equal blocks.

    Args:
        num_attentions: Attentions that go.
        num_neurons: Neurons that stay in each feed-forward.

    Example:
        >>> Allocation(num_attentions=1, num_neurons=384).num_neurons
        384
    """

    num_attentions: int
    num_neurons: int


class _Sizes(NamedTuple):
    blocks: int
    attention: int
    feed_forward: int
    neurons: int
    total: int


def block_parameters(config: AnyConfig) -> int:
    """Parameters of all blocks, norms and gains included: what sparsity is a share of.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> block_parameters(config)
        98816
    """
    return Outline.of(config).parameters


def sparsity_of(config: AnyConfig, base: AnyConfig) -> float:
    """The share of the block parameters of `base` that `config` has no more.

    What is counted is what is gone: where an attention is removed, so is its norm. The
    authors' code keeps that norm, which is no difference worth a digit.

    Args:
        config: The smaller model.
        base: The model that it was made from.

    Raises:
        KitError: `base` has no block parameters.

    Example:
        >>> base = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> without = base.with_blocks({0: {"attention": None}})
        >>> round(sparsity_of(without, base), 4)
        0.1671
    """
    total = block_parameters(base)
    if not total:
        raise KitError("the model has no parameters in its blocks", "Add a block")
    return 1 - block_parameters(config) / total


def attention_share(ratio: float, sparsity: float, alpha: float = ALPHA) -> float:
    """The share of the attentions to remove, before rounding (2501.17771, eq. 5).

        N / B = s ^ ((P_ffn / P_attn) / alpha)

    Args:
        ratio: Parameters of a feed-forward over those of an attention.
        sparsity: Target, from 0 to 1.
        alpha: Where `ratio` equals it, both parts lose the same share.

    Example:
        >>> round(attention_share(ratio=2, sparsity=0.5), 3)
        0.397
    """
    return sparsity ** (ratio / alpha)


def closed_rule(config: AnyConfig, sparsity: float, alpha: float = ALPHA) -> int:
    """Attentions to remove by the paper's rule, rounded half to even.

    Raises:
        KitError: The blocks differ in size, or a number is out of range.

    Example:
        >>> config = ModelConfig.uniform(8, vocabulary_size=14, context_length=12)
        >>> [closed_rule(config, sparsity) for sparsity in (0.25, 0.375, 0.5)]
        [1, 2, 3]
    """
    sizes = _sizes(config)
    check_sparsity(sparsity)
    check_alpha(alpha)
    ratio = sizes.feed_forward / sizes.attention
    return round(sizes.blocks * attention_share(ratio, sparsity, alpha))


def even_rule(config: AnyConfig, sparsity: float, alpha: float = ALPHA) -> int:
    """Attentions to remove so that both parts lose the same share; alpha is not used.

    Example:
        >>> config = ModelConfig.uniform(8, vocabulary_size=14, context_length=12)
        >>> even_rule(config, 0.5)
        4
    """
    check_sparsity(sparsity)
    return round(_sizes(config).blocks * sparsity)


def feed_forward_rule(config: AnyConfig, sparsity: float, alpha: float = ALPHA) -> int:
    """No attention: the feed-forwards bear it all.

    Example:
        >>> config = ModelConfig.uniform(8, vocabulary_size=14, context_length=12)
        >>> feed_forward_rule(config, 0.5)
        0
    """
    return 0


RULES: dict[str, Callable[[AnyConfig, float, float], int]] = {
    "2ssp": closed_rule,
    "even": even_rule,
    "feed-forward": feed_forward_rule,
}


def allocate(
    config: AnyConfig,
    sparsity: float,
    rule: str | int = "2ssp",
    alpha: float = ALPHA,
) -> Allocation:
    """Split a sparsity between attentions and neurons (2501.17771).

        p = round((round(s P_tot) - N P_attn) / B)      K = round(F (1 - p / P_ffn))

    Counts are exact integers and `round` is half to even, so the sparsity is met up to
    the rounding of K.

    Args:
        config: A model whose blocks have attentions of one size and feed-forwards of
            one size.
        sparsity: Share of the block parameters to remove, from 0 to below 1.
        rule: `"2ssp"`, `"even"`, `"feed-forward"`, or the number of attentions itself.
        alpha: Of the paper's rule.

    Raises:
        NotReached: That many attentions are more than the sparsity asks for, or too
            few for it.
        KitError: The blocks differ in size, or a number is out of range.

    Example:
        >>> sizes = {"width": 128, "vocabulary_size": 65, "context_length": 64}
        >>> allocate(ModelConfig.uniform(8, **sizes), 0.375)
        Allocation(num_attentions=2, num_neurons=287)
    """
    sizes = _sizes(config)
    check_sparsity(sparsity)
    check_alpha(alpha)
    if isinstance(rule, str):
        count = RULES[known("rule", rule, RULES)](config, sparsity, alpha)
    else:
        count = whole("rule", rule, least=0)
    _check_feasible(sizes, sparsity, count)
    removed = round(
        (round(sparsity * sizes.total) - count * sizes.attention) / sizes.blocks
    )
    return Allocation(count, round(sizes.neurons * (1 - removed / sizes.feed_forward)))


def check_sparsity(sparsity: float) -> None:
    """Raise a `KitError` unless a sparsity is a number from 0 to below 1."""
    if isinstance(sparsity, bool) or not (
        isinstance(sparsity, int | float) and 0 <= sparsity < 1
    ):
        raise KitError(
            f"sparsity={sparsity!r} is not a number from 0 to below 1",
            "Use for example 0.25, a quarter of the parameters of the blocks",
        )


def check_alpha(alpha: float) -> None:
    """Raise a `KitError` unless alpha is a finite number above 0."""
    is_number = isinstance(alpha, Real) and not isinstance(alpha, bool)
    if not (is_number and 0 < alpha < math.inf):
        raise KitError(
            f"alpha={alpha!r} is not a finite number above 0",
            f"Use for example {ALPHA}",
        )


def _sizes(config: AnyConfig) -> _Sizes:
    """B, P_attn, P_ffn and F, which must be the same in all blocks, and P_tot."""
    outline = Outline.of(config)
    sizes = [
        (block.attention or 0, block.feed_forward or 0, block.num_neurons)
        for block in outline.blocks
    ]
    if not sizes:
        raise KitError("the model has no blocks", "Use a model with blocks")
    for index, found in enumerate(sizes):
        if found != sizes[0] or not all(found):
            attention, feed_forward, _ = found
            raise KitError(
                f"block {index} has {attention} parameters in its attention and "
                f"{feed_forward} in its feed-forward; a split needs both in every "
                f"block, of the same sizes as in block 0 ({sizes[0][0]} and "
                f"{sizes[0][1]})",
                "Prune the model that this one was made from, in one go",
            )
    return _Sizes(len(sizes), *sizes[0], outline.parameters)


def _check_feasible(sizes: _Sizes, sparsity: float, count: int) -> None:
    attentions = count * sizes.attention / sizes.total
    if not 0 <= count <= sizes.blocks or attentions > sparsity:
        raise NotReached(
            f"{count} of {sizes.blocks} attentions hold {attentions:.1%} of the block "
            f"parameters, more than sparsity={sparsity:g}",
            "Use a higher sparsity, or remove fewer attentions",
        )
    reachable = attentions + sizes.blocks * sizes.feed_forward / sizes.total
    if reachable < sparsity:
        raise NotReached(
            f"without {count} attentions and without any neuron {reachable:.1%} of the "
            f"block parameters are gone, less than sparsity={sparsity:g}",
            "Use a lower sparsity, or remove more attentions",
        )

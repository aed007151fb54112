"""What a model has to tell and to do, so that it can be pruned: the contract."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import Transformer, activations, named_weights
from kit.pruning.outline import Outline, Part
from kit.pruning.surgery import (
    keep_and_remove,
    keep_neurons,
    remove_parts,
    smaller_config,
)

MATRICES = ("up", "gate", "down")


@runtime_checkable
class Prunable(Protocol):
    """A model that `two_stage` and `prune` can work on.

    `KitModel` is one, and so is `FunctionalModel`, for any functional Keras model whose
    layers have names. For anything else write the five members below; no method may
    change the model.

    Attributes:
        config: Sizes of the blocks, and what the model reads.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> isinstance(KitModel(build(config)), Prunable)
        True
    """

    @property
    def config(self) -> Any:
        """An `Outline`; of a kit model its `ModelConfig`."""
        ...

    def hidden(self, tokens: np.ndarray) -> Mapping[int, Any]:
        """Block to what the last matrix of its feed-forward reads (batch, time,
        neurons), for (batch, time) tokens."""
        ...

    def logits(self, tokens: np.ndarray, removed: Collection[Part] = ()) -> Any:
        """(batch, time, classes) if the removed parts wrote zero; where there is one
        answer for a whole sequence, (batch, 1, classes)."""
        ...

    def weights(self, part: Part) -> Mapping[str, np.ndarray]:
        """The arrays of a part. Those of a feed-forward are (width, neurons), and the
        one that writes is called `"down"`."""
        ...

    def smaller(
        self, kept: Mapping[int, Sequence[int]], removed: Collection[Part]
    ) -> "Prunable":
        """A new model: in some blocks with these neurons only, and without some parts.
        The weights that stay are equal."""
        ...


class KitModel:
    """A kit model under the contract. Pruning knows it, and shares work between its
    candidates; what stands here is the plain way.

    Args:
        model: A kit model.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> adapter = KitModel(build(config))
        >>> adapter.hidden(np.zeros((3, 12), "int32"))[1].shape
        (3, 12, 256)
        >>> adapter.smaller({0: range(9)}, [Part("attention", 1)]).model.count_params()
        52480
    """

    def __init__(self, model: Transformer):
        self.model = model

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    def hidden(self, tokens: np.ndarray) -> dict[int, np.ndarray]:
        names = {
            index: f"block_{index}/feed_forward/hidden"
            for index, block in enumerate(self.config.blocks)
            if block.feed_forward is not None
        }
        found = activations(self.model, tokens, *names.values())
        return {index: found[name] for index, name in names.items()}

    def logits(self, tokens: np.ndarray, removed: Collection[Part] = ()) -> Any:
        return remove_parts(self.model, removed)(tokens, training=False)

    def weights(self, part: Part) -> dict[str, np.ndarray]:
        prefix = f"block_{part.block}/{part.kind}/"
        mine = {
            name.removeprefix(prefix): weight
            for name, weight in named_weights(self.model).items()
            if name.startswith(prefix)
        }
        if part.kind == "feed_forward":
            mine = {name: mine[name] for name in MATRICES if name in mine}
        return {name: np.asarray(weight) for name, weight in mine.items()}

    def smaller(
        self, kept: Mapping[int, Sequence[int]], removed: Collection[Part]
    ) -> "KitModel":
        if kept and not removed:  # blocks keep their numbers
            return KitModel(keep_neurons(self.model, kept))
        return KitModel(keep_and_remove(self.model, kept, removed))


def adapted(model: Any) -> Prunable:
    """A kit model under the contract; what keeps to it already, as it is.

    Raises:
        KitError: It is another model.
    """
    if isinstance(model, Transformer):
        return KitModel(model)
    if isinstance(model, Prunable):
        return model
    raise KitError(
        f"a {type(model).__name__} does not tell what its blocks are made of",
        "Name its layers, kit.pruning.FunctionalModel(model, blocks), or write a "
        "kit.pruning.Prunable for it",
    )


def outline_without(config: ModelConfig | Outline, removed: Collection[Part]) -> Any:
    """The config of a model without some parts."""
    if isinstance(config, Outline):
        return config.without(removed)
    return smaller_config(config, removed)

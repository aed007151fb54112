"""How a signal and its gradient get through the layers of a model.

The probes that Simplifying Transformer Blocks (2311.01906) argues from: without skips
an ordinary attention makes all tokens alike (rank collapse), shaped attention does not.
"""

from typing import Any

import numpy as np

from kit.config import ModelConfig
from kit.data import Batch
from kit.errors import KitError
from kit.models import Transformer, activations, build, named_weights
from kit.optimizers.recorder import Recorder
from kit.training import token_cross_entropy

MEASURES = ("cosine", "norm", "gradient")


def mean_cosine(activations: np.ndarray) -> float:
    """Mean cosine of two different tokens of a sequence; 1 is rank collapse.

    Args:
        activations: (samples, time, width), time at least 2.

    Raises:
        KitError: The shape is another.

    Example:
        >>> tokens = np.array([[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]])
        >>> round(mean_cosine(tokens), 4)
        0.4714
    """
    x = np.asarray(activations, "float64")
    if x.ndim != 3 or x.shape[1] < 2:
        raise KitError(
            f"activations of shape {x.shape}, expected (samples, time >= 2, width)",
            "Use the activations of one layer on sequences of two tokens or more",
        )
    unit = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-300)
    time = x.shape[1]
    # All pairs at once: the squared length of the sum, less each token with itself.
    squared = np.square(unit.sum(axis=1)).sum(axis=-1)
    alone = np.square(unit).sum(axis=(1, 2))
    return float(np.mean((squared - alone) / (time * (time - 1))))


def signal(model: Transformer, tokens: np.ndarray) -> dict[str, list[float]]:
    """Cosine of tokens and their norm, at the embedding and after each block.

    Args:
        model: A kit model.
        tokens: (samples, time) integers.

    Returns:
        `"cosine"`, see `mean_cosine`, and `"norm"`, the root mean square of an entry;
        blocks + 1 numbers each.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> found = signal(build(config), np.arange(12)[None])
        >>> [len(values) for values in found.values()]
        [3, 3]
    """
    names = ["embedding", *(f"block_{i}/output" for i in range(len(model.blocks)))]
    streams = activations(model, tokens, *names)
    norms = [np.sqrt(np.mean(np.square(streams[n], dtype="float64"))) for n in names]
    return {
        "cosine": [mean_cosine(streams[name]) for name in names],
        "norm": [float(norm) for norm in norms],
    }


class SignalProbe:
    """The signal and the gradient of every layer, also while a model trains.

    Made once for a config and a batch, it looks at any model of that config and
    changes nothing of it; `Trainer.run(observe=probe)` adds what it finds to the
    history.

    Args:
        config: The config of the models to look at.
        batch: What to measure on.

    Call arguments:
        model: A model of that config.

    Returns:
        `cosine_0` and `norm_0` of the embedding, `cosine_1` and so on of the blocks,
        and from 1 up `gradient_1`: the norm of the loss's gradient in the weights of a
        block.

    Example:
        >>> from kit.data import Addition
        >>> batch = Addition(digits=1, validation_pairs=4).validation()
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> list(SignalProbe(config, batch)(build(config)))
        ['cosine_0', 'cosine_1', 'norm_0', 'norm_1', 'gradient_1']
    """

    def __init__(self, config: ModelConfig, batch: Batch):
        self.batch = batch
        # A twin, so that a model that is being trained keeps its optimizer.
        self.twin = build(config)
        # One batch now and then is no work to compile for.
        self.twin.compile(Recorder(), token_cross_entropy, run_eagerly=True)

    def __call__(self, model: Transformer) -> dict[str, float]:
        found: dict[str, list[float]] = signal(model, self.batch.inputs)
        numbers = {
            f"{name}_{layer}": value
            for name, values in found.items()
            for layer, value in enumerate(values)
        }
        gradients = enumerate(self._block_gradients(model), start=1)
        return numbers | {f"gradient_{layer}": value for layer, value in gradients}

    def _block_gradients(self, model: Transformer) -> list[float]:
        weights = named_weights(model)
        for key, weight in named_weights(self.twin).items():
            weight.assign(weights[key])
        self.twin.train_on_batch(self.batch.inputs, self.batch.targets)
        squares = [0.0] * len(self.twin.blocks)
        names = {id(weight): key for key, weight in named_weights(self.twin).items()}
        for weight, gradient in zip(
            self.twin.trainable_variables, self.twin.optimizer.gradients, strict=True
        ):
            first = names[id(weight)].split("/")[0]
            if first.startswith("block_"):
                index = int(first.removeprefix("block_"))
                squares[index] += float(np.square(gradient, dtype="float64").sum())
        return [float(np.sqrt(square)) for square in squares]


def gains(model: Transformer) -> dict[str, float]:
    """Every trained gain of a model by name, those of heads with their number.

    Example:
        >>> sizes = {"vocabulary_size": 14, "context_length": 12}
        >>> found = gains(build(ModelConfig.uniform(1, "sas-p", **sizes)))
        >>> found["block_0/attention/map_alpha/3"], len(found)
        (1.0, 16)
    """
    found: dict[str, Any] = {}
    for key, weight in named_weights(model).items():
        if weight.kit_tag.role == "other":
            value = np.asarray(weight)
            if value.ndim:
                found |= {f"{key}/{head}": float(v) for head, v in enumerate(value)}
            else:
                found[key] = float(value)
    return found

"""One way to look inside: activations by name."""

import numpy as np
from keras import ops

from kit.errors import KitError
from kit.layers.taps import Collector
from kit.models.transformer import Transformer


def activations(
    model: Transformer, tokens: np.ndarray, *patterns: str
) -> dict[str, np.ndarray]:
    """Run a model and keep the activations whose names match.

    Names: `embedding`, `final_norm`; per block `block_3/input`, `block_3/output`,
    `block_3/attention/map`, `block_3/attention/output`,
    `block_3/feed_forward/hidden`, `block_3/feed_forward/output`; and where the map is
    `Shaped`, `block_3/attention/shaped_map`, by which the values are multiplied.

    Args:
        model: A kit model.
        tokens: (batch, time) integers.
        *patterns: Names or shell-style patterns such as `"block_*/attention/map"`.

    Returns:
        Name to array: (batch, time, width), or (batch, heads, time, time) for maps.

    Raises:
        KitError: A pattern matches nothing.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> tokens = np.zeros((1, 5), "int32")
        >>> maps = activations(build(config), tokens, "block_*/attention/map")
        >>> {name: value.shape for name, value in maps.items()}
        {'block_0/attention/map': (1, 4, 5, 5), 'block_1/attention/map': (1, 4, 5, 5)}
    """
    with Collector(*patterns) as collector:
        model(tokens)
    for pattern in patterns:
        if not any(Collector(pattern).wants(name) for name in collector.offered):
            raise KitError(
                f"no activation is called {pattern!r}",
                f"This model offers: {', '.join(dict.fromkeys(collector.offered))}",
            )
    return {
        name: ops.convert_to_numpy(value) for name, value in collector.values.items()
    }

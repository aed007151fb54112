"""A model that stays whole when work with it is stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


@contextmanager
def intact(model: keras.Model) -> Iterator[None]:
    """Give a model its weights back where Ctrl-C or an error ends the work inside.

    On JAX, Keras takes the arrays out of the variables while it fits or predicts, also
    out of those that it does not train; who stops it there is left with none.

    Args:
        model: Whose variables must not change inside.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> model = build(config)
        >>> with intact(model):
        ...     tuple(model(np.zeros((1, 3), "int32")).shape)
        (1, 3, 14)
    """
    taken = keras.backend.backend() == "jax"
    variables = model.variables if taken else []
    kept = [np.array(variable) for variable in variables]
    try:
        yield
    except BaseException:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        raise

"""Building models, looking at them, changing them, generating from them."""

from kit.models.build import build, initialise, named_weights
from kit.models.transformer import Transformer

__all__ = ["Transformer", "build", "initialise", "named_weights"]

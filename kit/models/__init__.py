"""Building models, looking at them, changing them, generating from them."""

from kit.counts import block_counts, flops_per_token, parameter_counts
from kit.models.activations import activations
from kit.models.build import build, initialise, named_weights
from kit.models.describe import describe
from kit.models.generate import generate
from kit.models.transformer import Transformer
from kit.models.transplant import transplant

__all__ = [
    "Transformer",
    "activations",
    "block_counts",
    "build",
    "describe",
    "flops_per_token",
    "generate",
    "initialise",
    "named_weights",
    "parameter_counts",
    "transplant",
]

"""Trained models: `load("smollm2")` is a kit model and its tokenizer.

`CHECKPOINTS` says what there is, `found` where it lies on this machine; `kit fetch`
gets what is missing. Those that the kit has trained itself ship with it: `card` says
how they came to be, and `held_out` is text that they have not seen.
"""

from typing import TYPE_CHECKING

from kit.lazy import lazy
from kit.pretrained.catalogue import CHECKPOINTS, Checkpoint, found
from kit.pretrained.own_cards import card

if TYPE_CHECKING:
    from kit.pretrained.loading import Pretrained, load, load_tokenizer
    from kit.pretrained.own import held_out

__all__ = [
    "CHECKPOINTS",
    "Checkpoint",
    "Pretrained",
    "card",
    "found",
    "held_out",
    "load",
    "load_tokenizer",
]

# The command line looks up names and places, and does not need Keras for that.
__getattr__ = lazy(
    __name__,
    dict.fromkeys(("Pretrained", "load", "load_tokenizer"), "kit.pretrained.loading")
    | {"held_out": "kit.pretrained.own"},
)

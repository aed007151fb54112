"""Real checkpoints as kit models: `load("smollm2")` is a model and its tokenizer.

`CHECKPOINTS` says what there is, `found` where it lies on this machine; `kit fetch`
gets what is missing.
"""

from typing import TYPE_CHECKING

from kit.lazy import lazy
from kit.pretrained.catalogue import CHECKPOINTS, Checkpoint, found

if TYPE_CHECKING:
    from kit.pretrained.loading import Pretrained, load, load_tokenizer

__all__ = [
    "CHECKPOINTS",
    "Checkpoint",
    "Pretrained",
    "found",
    "load",
    "load_tokenizer",
]

# The command line looks up names and places, and does not need Keras for that.
__getattr__ = lazy(
    __name__,
    dict.fromkeys(("Pretrained", "load", "load_tokenizer"), "kit.pretrained.loading"),
)

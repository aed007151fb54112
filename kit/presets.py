"""Blocks by name: published ones, each an edit of the base.

Where the text and the code of Simplifying Transformer Blocks (2311.01906) differ, the
presets follow the code, because the published numbers come from it:

- The skip around the feed-forward of SAS is trained. Text: `feed_forward_skip=1.0`.
- Without norms, the first block keeps the norm on its input. Text: `norm="none"`
  there too.
- What the code calls V-SkipInit has the shaped map. The text's, equation 4, is
  `"v-skip-init-eq-4"`.

Its learned positions, LayerNorm and epsilon of 1e-5 (text: sinusoidal, RMSNorm, 1e-8)
are fields of the model. Both keep a trained value matrix in the first block. The code's
biases on queries and keys, which start at zero, are left out, and so is the second norm
of its parallel block, which nothing reads. Output matrices without a trained gain start
smaller by sqrt(2 blocks), as in GPT-2; in the code they do not.
"""

from dataclasses import replace
from typing import Any

from kit.blocks import BlockConfig
from kit.errors import known
from kit.gains import SKIP_INIT, Shaped, Trained, Updated

SHAPED: dict[str, Any] = {
    "shape": Shaped(),
    "attention_skip": 0.0,
    "attention_gain": Trained(1.0),
    "feed_forward_gain": Trained(None),
}
V_SKIP_INIT = SHAPED | {
    "value": "orthogonal",
    "projection": "orthogonal",
    "feed_forward_skip": Trained(1.0),
}
SAS = SHAPED | {
    "value": "identity",
    "projection": "identity",
    "feed_forward_skip": Trained(1.0),
}
SAS_P = SAS | {"wiring": "parallel", "feed_forward_skip": 0.0}

BLOCK_PRESETS: dict[str, BlockConfig] = {
    "pre-ln": BlockConfig(),
    "post-ln": BlockConfig(norm_position="post"),
    "parallel": BlockConfig(wiring="parallel"),
    "llama": BlockConfig(norm="rms", feed_forward="swiglu"),
    "v-skip-init": BlockConfig(**V_SKIP_INIT),
    "v-skip-init-eq-4": BlockConfig(**V_SKIP_INIT | {"shape": SKIP_INIT}),
    "sas": BlockConfig(**SAS),
    "sas-p": BlockConfig(**SAS_P),
    "sas-p-no-norm": BlockConfig(**SAS_P, norm="none"),
}
FIRST_VALUE = Updated("identity", alpha=Trained(1.0), beta=Trained(1.0))
FIRST_BLOCKS: dict[str, dict[str, Any]] = {
    "sas": {"value": FIRST_VALUE},
    "sas-p": {"value": FIRST_VALUE},
    "sas-p-no-norm": {"value": FIRST_VALUE, "norm": "layer"},
}


def block_preset(name: str) -> BlockConfig:
    """A named block.

    Args:
        name: `"pre-ln"` (2002.04745), `"post-ln"` (1706.03762), `"parallel"`
            (GPT-J wiring), `"llama"` (RMSNorm and SwiGLU, 2302.13971), or of
            2311.01906 `"sas"` (no attention skip, value or projection), `"sas-p"`
            (parallel and no skip at all), `"sas-p-no-norm"` and its baseline
            `"v-skip-init"` (no attention skip, trained orthogonal matrices), which with
            the map of equation 4 is `"v-skip-init-eq-4"`.

    Raises:
        KitError: There is no such preset.

    Example:
        >>> block_preset("llama").norm
        'rms'
    """
    return BLOCK_PRESETS[known("block preset", name, BLOCK_PRESETS)]


def preset_blocks(name: str, num_blocks: int) -> tuple[BlockConfig, ...]:
    """The blocks of a model of one preset, whose first block may differ.

    The simplified blocks of 2311.01906 keep a trained value matrix in the first
    block, and those without norms the norm on its input.

    Raises:
        KitError: There is no such preset.

    Example:
        >>> [block.norm for block in preset_blocks("sas-p-no-norm", 3)]
        ['layer', 'none', 'none']
    """
    block = block_preset(name)
    first = replace(block, **FIRST_BLOCKS.get(name, {}))
    return (first, *[block] * (num_blocks - 1))

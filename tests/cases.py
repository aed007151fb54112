"""Named configs that between them turn every dial of a model, for all tests.

The initial matrices are 20 times larger than usual: with the usual ones the maps are
flat and a wrong scale would hide below any tolerance.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np

from kit.config import BLOCK_PRESETS, BlockConfig, ModelConfig
from kit.gains import Shaped, Trained, Updated
from kit.models import Transformer, build, named_weights
from kit.presets import preset_blocks

VOCABULARY, TIME, WIDTH, PREFIX, PADDING = 11, 7, 16, 3, 10
BLOCK = BlockConfig(num_heads=4, feed_forward_dim=24)


def case(block: dict[str, Any] | None = None, **shared: Any) -> ModelConfig:
    """Two small blocks with some fields changed in both."""
    config = ModelConfig(
        vocabulary_size=VOCABULARY,
        context_length=TIME,
        width=WIDTH,
        blocks=(replace(BLOCK, **(block or {})),) * 2,
        initializer_std=0.4,
    )
    return replace(config, **shared)


def preset_case(name: str, **shared: Any) -> ModelConfig:
    """Two small blocks of a preset."""
    config = case(blocks=preset_blocks(name, 2), **shared)
    return config.with_every_block(num_heads=4, feed_forward_dim=24)


def copying(config: ModelConfig) -> ModelConfig:
    """The second block attends by the map of the first."""
    return config.with_blocks({1: {"copies_map_from": 0}})


def both_skips(gain: float) -> dict[str, float]:
    return {"attention_skip": gain, "feed_forward_skip": gain}


UPDATED = Updated(alpha=Trained(), beta=Trained())
PREFIX_MASK = {"mask": "prefix", "prefix_length": PREFIX}
MASKED: dict[str, dict[str, Any]] = {
    "causal": {},
    "full": {"mask": "full"},
    "prefix": PREFIX_MASK,
}
ABSENT = {"attention": None}
ALL_AT_ONCE = {
    "norm": "rms",
    "num_key_value_heads": 2,
    "head_dim": 6,
    "feed_forward": "swiglu",
    "attention_skip": 0.5,
}

CASES: dict[str, ModelConfig] = {
    # Every preset; "pre-ln" is the base of what follows.
    **{name: preset_case(name) for name in BLOCK_PRESETS},
    # Norms.
    "pre-rms": case({"norm": "rms"}, final_norm="rms"),
    "post-rms": case({"norm": "rms", "norm_position": "post"}, final_norm="none"),
    "no-norm": case({"norm": "none"}, final_norm="none", initializer_std=0.2),
    # Skips.
    "half-skips": case(both_skips(0.5)),
    "no-attention-skip": case({"attention_skip": 0.0}),
    "no-feed-forward-skip": case({"feed_forward_skip": 0.0}),
    "no-skips-post": case({**both_skips(0.0), "norm_position": "post"}),
    "parallel-half-skip": case({"wiring": "parallel", **both_skips(0.5)}),
    "parallel-no-skip": case({"wiring": "parallel", **both_skips(0.0)}),
    "parallel-post": case({"wiring": "parallel", "norm_position": "post"}),
    # Heads.
    "grouped": case({"num_key_value_heads": 2}),
    "one-key-head": case({"num_key_value_heads": 1}),
    "wide-heads": case({"head_dim": 6}),
    # Positions and masks.
    "no-positions": case(positions="none"),
    "sinusoidal": case(positions="sinusoidal"),
    "rotary": case(positions="rotary"),
    "alibi": case(positions="alibi"),
    "full": case(mask="full"),
    "full-no-positions": case(mask="full", positions="none"),
    "full-alibi": case(mask="full", positions="alibi"),
    "prefix": case(**PREFIX_MASK),
    "prefix-rotary": case(positions="rotary", **PREFIX_MASK),
    # Feed-forward.
    "relu": case({"feed_forward": "relu"}),
    "swiglu": case({"feed_forward": "swiglu"}),
    "geglu": case({"feed_forward": "geglu"}),
    "leaky-relu": case({"feed_forward": "relu", "relu_slope": 0.2}),
    # Gains, maps and matrices of simplified blocks.
    "fixed-gains": case({"attention_gain": 0.5, "feed_forward_gain": 2.0}),
    "trained-skips": case(
        {"attention_skip": Trained(), "feed_forward_skip": Trained(0.0)}
    ),
    "parallel-trained-skip": case({"wiring": "parallel", **both_skips(Trained(0.5))}),
    "shaped": case({"shape": Shaped()}),
    "shaped-shared": case({"shape": Shaped(per_head=False)}),
    "shaped-fixed": case({"shape": Shaped(1.0, 0.5, 0.5)}),
    "shaped-grouped": case({"shape": Shaped(), "num_key_value_heads": 2}),
    "shaped-rotary": case({"shape": Shaped()}, positions="rotary"),
    "shaped-alibi": case({"shape": Shaped()}, positions="alibi"),
    "shaped-prefix": case({"shape": Shaped()}, **PREFIX_MASK),
    "shaped-padding": case({"shape": Shaped()}, padding_id=PADDING),
    "shaped-padding-full-fused": case(
        {"shape": Shaped()}, padding_id=PADDING, mask="full", fused_attention=True
    ),
    "no-value": case({"value": "identity"}),
    "no-value-or-projection": case({"value": "identity", "projection": "identity"}),
    "orthogonal-matrices": case({"value": "orthogonal", "projection": "orthogonal"}),
    "updated-identity": case({"value": UPDATED, "projection": Updated(beta=0.2)}),
    "updated-orthogonal-grouped": case(
        {
            "value": Updated("orthogonal", beta=Trained(0.2)),
            "projection": Updated("orthogonal", alpha=Trained()),
            "num_key_value_heads": 2,
        }
    ),
    "sas-grouped-rotary": preset_case("sas", positions="rotary").with_every_block(
        num_key_value_heads=2
    ),
    "sas-full": preset_case("sas", mask="full"),
    "sas-p-fused": preset_case("sas-p", fused_attention=True),
    "sas-p-prefix-padding": preset_case("sas-p", padding_id=PADDING, **PREFIX_MASK),
    "sas-alibi": preset_case("sas", positions="alibi"),
    # Head.
    "untied": case(tied_head=False),
    # Dropout.
    "dropout": case({"dropout": 0.2}),
    "parallel-dropout": case({"dropout": 0.2, "wiring": "parallel"}),
    # Parts that are not there.
    "no-attention": case(ABSENT),
    "no-feed-forward": case({"feed_forward": None}),
    "parallel-no-attention": case({**ABSENT, "wiring": "parallel"}),
    "first-without-attention": case().with_blocks({0: ABSENT}),
    "last-without-feed-forward": case().with_blocks({1: {"feed_forward": None}}),
    "empty-block": case().with_blocks({1: {**ABSENT, "feed_forward": None}}),
    "no-blocks": case(blocks=()),
    # Blocks that differ from each other.
    "mixed-blocks": case().with_blocks(
        {0: {"wiring": "parallel", "norm": "rms"}, 1: ALL_AT_ONCE}
    ),
    # Padding.
    "padding": case(padding_id=PADDING),
    "padding-full-rotary": case(padding_id=PADDING, mask="full", positions="rotary"),
    "padding-prefix-alibi": case(padding_id=PADDING, positions="alibi", **PREFIX_MASK),
    # The backend's own attention.
    "fused": case(fused_attention=True),
    "fused-full": case(fused_attention=True, mask="full", positions="none"),
    "fused-grouped-alibi": case(
        {"num_key_value_heads": 2}, fused_attention=True, positions="alibi"
    ),
    "fused-padding": case(fused_attention=True, padding_id=PADDING, mask="full"),
    # Copied attention maps.
    "copied": copying(case()),
    "copied-grouped-rotary": copying(
        case({"num_key_value_heads": 2, "head_dim": 6}, positions="rotary")
    ),
    "copied-parallel-padding": copying(
        case({"wiring": "parallel"}, padding_id=PADDING, **PREFIX_MASK)
    ),
    "copied-post-full-fused": copying(
        case({"norm_position": "post"}, mask="full", fused_attention=True)
    ),
    "copied-dropout": copying(case({"dropout": 0.2})),
    "copied-shaped-alibi": copying(case({"shape": Shaped()}, positions="alibi")),
    "copied-sas": copying(preset_case("sas")),
    "copied-from-afar": case(blocks=(BLOCK,) * 4).with_blocks(
        {2: {"copies_map_from": 0}, 3: {"copies_map_from": 1}}
    ),
    # Much at once.
    "all-at-once": case(
        ALL_AT_ONCE,
        positions="rotary",
        tied_head=False,
        final_norm="rms",
        padding_id=PADDING,
        **PREFIX_MASK,
    ),
}

# Those that between them hold every layer and most paths, for tests that take long.
QUICK = (
    "pre-ln",
    "mixed-blocks",
    "all-at-once",
    "parallel-dropout",
    "padding-prefix-alibi",
    "fused-padding",
    "no-blocks",
    "sas-grouped-rotary",
    "sas-p-prefix-padding",
    "copied-grouped-rotary",
)


def causal_cases() -> list[str]:
    """The cases in which generation can keep a cache."""
    return [name for name, config in CASES.items() if config.mask != "full"]


def some_tokens(config: ModelConfig, batch: int = 3, seed: int = 0) -> np.ndarray:
    """Random tokens without padding, of the full context length."""
    rng = np.random.default_rng(seed)
    highest = config.vocabulary_size - (config.padding_id is not None)
    return rng.integers(highest, size=(batch, config.context_length), dtype="int32")


def shake(model: Transformer, seed: int = 0, size: float = 0.3) -> Transformer:
    """Move every weight off its initial value, so that no norm is the identity."""
    rng = np.random.default_rng(seed)
    for variable in named_weights(model).values():
        noise = size * rng.standard_normal(tuple(variable.shape), dtype="float32")
        variable.assign_add(noise)
    return model


SHARED: dict[str, tuple[Transformer, dict[str, np.ndarray]]] = {}


def shaken(name: str) -> Transformer:
    """The model of a case, shared by all tests: they must only read it."""
    if name not in SHARED:
        model = shake(build(CASES[name]))
        SHARED[name] = model, weights_of(model)
    return SHARED[name][0]


def weights_of(model: Transformer) -> dict[str, np.ndarray]:
    """A copy of every weight."""
    return {key: np.array(weight) for key, weight in named_weights(model).items()}


def changed_models() -> list[str]:
    """The cases whose shared model is no longer the one that was shaken."""
    return [
        name
        for name, (model, before) in SHARED.items()
        if any((now != before[key]).any() for key, now in weights_of(model).items())
    ]


@cache
def case_logits(name: str) -> np.ndarray:
    """The logits of `shaken(name)` on `some_tokens`."""
    config = CASES[name]
    return keras.ops.convert_to_numpy(shaken(name)(some_tokens(config)))


def read(model: Transformer, tokens: Any) -> np.ndarray:
    """Logits as a NumPy array."""
    return keras.ops.convert_to_numpy(model(np.asarray(tokens, "int32")))


def assert_same(actual: Any, expected: Any, rounding: float = 2e-5) -> None:
    """Equal up to float32 rounding, as a share of the largest expected entry.

    One float32 operation rounds by 6e-8. An entry is the end of some 20 sums of up to
    24 terms, and norms and softmax pass errors on enlarged: 2e-5 is about ten times
    what different orders of summation change in these cases, and far below what a
    wrong term changes (1e-2 and more at this size of the weights).
    """
    actual, expected = np.asarray(actual, "float64"), np.asarray(expected, "float64")
    assert actual.shape == expected.shape
    largest = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rounding * largest)

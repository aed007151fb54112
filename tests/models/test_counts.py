"""Parameters and operations against published counts and against the built model."""

import math
import re
from dataclasses import replace

import keras
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.models import (
    block_counts,
    build,
    describe,
    flops_per_token,
    parameter_counts,
)
from tests.cases import CASES, TIME, shaken

GPT_2 = ModelConfig.uniform(
    12, BlockConfig(num_heads=12), width=768, vocabulary_size=50257, context_length=1024
)
# A bias on each of the six matrices of a block, which the kit does not have.
GPT_2_BIASES = 12 * (3 * 768 + 768 + 4 * 768 + 768)


def llama(width, num_heads, key_heads, hidden, vocabulary):
    block = BlockConfig(
        norm="rms",
        num_heads=num_heads,
        num_key_value_heads=key_heads,
        feed_forward="swiglu",
        feed_forward_dim=hidden,
    )
    return ModelConfig.uniform(
        32,
        block,
        width=width,
        vocabulary_size=vocabulary,
        context_length=4096,
        positions="rotary",
        tied_head=False,
        final_norm="rms",
    )


@pytest.mark.parametrize(
    "config, biases, published",
    [
        (GPT_2, GPT_2_BIASES, 124_439_808),  # openai-community/gpt2
        (llama(4096, 32, None, 11008, 32000), 0, 6_738_415_616),  # Llama 2 7B
        (llama(4096, 32, 8, 14336, 128256), 0, 8_030_261_248),  # Llama 3 8B
    ],
    ids=["gpt-2", "llama-2-7b", "llama-3-8b"],
)
def test_published_parameter_counts(config, biases, published):
    assert sum(parameter_counts(config).values()) + biases == published


def multiplied(model):
    """Operations of all matrix products in the traced model, for one sequence."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("counted in a TensorFlow graph")
    import tensorflow as tf

    spec = tf.TensorSpec((1, TIME), "int32")
    graph = tf.function(model).get_concrete_function(spec).graph
    total = 0
    for operation in graph.get_operations():
        shapes = [tuple(each.shape) for each in operation.inputs]
        if operation.type == "MatMul":
            (rows, inner), (_, columns) = shapes
            assert not operation.get_attr("transpose_a")
            if operation.get_attr("transpose_b"):
                columns = shapes[1][0]
            total += 2 * rows * inner * columns
        elif operation.type.startswith("BatchMatMul"):
            (*batch, rows, inner), _ = shapes
            total += (
                2 * math.prod(batch) * rows * inner * operation.outputs[0].shape[-1]
            )
        elif operation.type == "Einsum":
            axes = operation.get_attr("equation").decode().split("->")[0].split(",")
            sizes = dict(zip("".join(axes), sum(shapes, ()), strict=True))
            total += 2 * math.prod(sizes.values())
        else:
            assert operation.type != "XlaDot", "another product"
    return total


@pytest.mark.parametrize(
    "name",
    [
        "pre-ln",
        "parallel",
        "swiglu",
        "one-key-head",
        "wide-heads",
        "untied",
        "no-attention",
        "last-without-feed-forward",
        "empty-block",
        "no-blocks",
        "copied",
        "copied-grouped-rotary",
        "copied-from-afar",
        "all-at-once",
        "v-skip-init",
        "v-skip-init-eq-4",
        "sas",
        "sas-p",
        "sas-p-no-norm",
        "sas-alibi",
        "shaped-grouped",
        "updated-identity",
        "updated-orthogonal-grouped",
    ],
)
def test_operations_are_those_of_the_traced_matrix_products(name):
    assert TIME * flops_per_token(CASES[name]) == multiplied(shaken(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fused", "fused-grouped-alibi", "sas-alibi"])
def test_a_fused_kernel_does_the_same_products_and_with_alibi_the_mean(name):
    config = replace(CASES[name], fused_attention=True)
    assert TIME * flops_per_token(config) == multiplied(build(config))
    copied = config.with_blocks({1: {"copies_map_from": 0}})  # from a written-out map
    assert TIME * flops_per_token(copied) == multiplied(build(copied))


def test_operations_depend_on_the_time_through_the_scores_only():
    config = CASES["pre-ln"]
    scores = sum(4 * b.num_heads * config.head_dim(b) for b in config.blocks)
    assert flops_per_token(config, 9) - flops_per_token(config, 8) == scores


@pytest.mark.parametrize("name", CASES)
def test_describe_shows_the_numbers_of_the_formulas(name):
    config = CASES[name]
    text = describe(config)
    assert text == describe(shaken(name))
    lines = text.splitlines()
    assert len(lines) == len(config.blocks) + 4
    total = sum(parameter_counts(config).values())
    assert lines[-2].startswith(f"parameters: {total:,} (")
    for role, count in parameter_counts(config).items():
        assert (f"{role} {count:,}" in lines[-2]) == (count > 0)
    assert lines[-1] == f"forward: {flops_per_token(config):,} FLOPs per token"
    for block, line in zip(config.blocks, lines[2:], strict=False):
        counts = block_counts(config, block)
        shown = [f"{counts[role]:,}" for role in ("QK", "VO", "FFN", "Norm")]
        assert shown == re.split(r"\s{2,}", line)[3:7]


def test_describe_names_what_differs():
    base = CASES["pre-ln"]
    edited = base.with_blocks({1: {"attention_skip": 0.0}})
    lines = describe(edited).splitlines()
    assert lines[2].endswith("64") and lines[3].endswith("attention_skip 1 → 0")
    lines = describe(CASES["full"], base).splitlines()
    assert lines[0].endswith("[mask causal → full]")

"""What sharing saves: parameters, operations, time and memory, at the paper's rates.

A narrow model with the paper's 22 blocks and lists takes turns with the same model
unshared, in one process, on one core. Both compute attention in the same way.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kit.config import ModelConfig, block_preset
from kit.counts import flops_per_token, parameter_counts
from kit.models import Transformer, build, generate
from kit.models.reader import settle
from kit.sharing import by_list, savings_of, shared_config
from kit.studies.machine import peak_bytes
from kit.studies.sharing.paper import BLOCKS, EFFICIENCY, LISTS
from kit.studies.simplify.speed import in_turns, training_steps

Result = dict[str, Any]
Timed = Callable[[int], float]


def prepare(spec: Mapping[str, Any]) -> Callable[..., Result]:
    """Compile both models; the returned function times them in turns."""
    base = narrow(spec["width"])
    copies = by_list(LISTS[spec["share"]], range(BLOCKS))
    sized = {"base": base, "shared": shared_config(base, copies)}
    models = {name: build(config) for name, config in sized.items()}
    timed: dict[str, dict[str, Timed]] = {
        "step": {n: training_steps(c, spec["batch"]) for n, c in sized.items()},
        "forward": {n: forward_passes(m, spec["batch"]) for n, m in models.items()},
        "generation": {n: generated_tokens(m) for n, m in models.items()},
    }
    for pair in timed.values():
        for each in pair.values():
            each(1)
    memory = [_peak_bytes(spec["share"], spec["width"], name) for name in sized]
    exact = counts(spec["share"], models["base"], models["shared"], copies)

    def run(seed: int, progress: Callable[[float], None]) -> Result:
        metrics = exact | {"memory_ratio": memory[1] / memory[0]}
        seconds = {}
        for done, (kind, pair) in enumerate(timed.items()):
            turns = in_turns(pair, spec["count"], seed, lambda done: None)
            ratios = [a / b for a, b in zip(*turns.values(), strict=True)]
            metrics[f"{kind}_gain"] = float(np.median(ratios)) - 1
            metrics[f"{kind}_saving"] = 1 - float(1 / np.median(ratios))
            seconds[kind] = turns
            progress((done + 1) / 3)
        return {
            "status": "finished",
            "metrics": metrics,
            "probes": {"seconds": seconds},
        }

    return run


def narrow(width: int) -> ModelConfig:
    """The paper's TinyLlama, narrower: as many blocks, eight heads to a key head."""
    block = replace(
        block_preset("llama"),
        num_heads=8,
        num_key_value_heads=1,
        feed_forward_dim=11 * width // 4,
    )
    return ModelConfig.uniform(
        BLOCKS,
        block,
        vocabulary_size=256,
        context_length=64,
        width=width,
        positions="rotary",
        final_norm="rms",
    )


def tiny_llama() -> ModelConfig:
    """The paper's own model, as a config."""
    block = replace(
        block_preset("llama"),
        num_heads=32,
        num_key_value_heads=4,
        feed_forward_dim=5632,
    )
    return ModelConfig.uniform(
        BLOCKS,
        block,
        vocabulary_size=32_000,
        context_length=2048,
        width=2048,
        positions="rotary",
        final_norm="rms",
        tied_head=False,
    )


def counts(
    share: str, base: Transformer, shared: Transformer, copies: Mapping[int, int]
) -> dict[str, float]:
    """What follows from the configs: savings here and in the paper's own model."""
    saved = savings_of(base.config, copies)
    paper = tiny_llama()
    of_paper = savings_of(paper, copies).parameters / sum(
        parameter_counts(paper).values()
    )
    counted = base.count_params() - shared.count_params()
    return {
        "copied": len(copies),
        "formula_miss": abs(counted - saved.parameters),
        "parameters_saved": saved.parameters / base.count_params(),
        "paper_parameters_saved": of_paper,
        "printed_miss": abs(of_paper - EFFICIENCY[share][2]),
        "flops_saved": saved.flops / flops_per_token(base.config),
        "cache_saved": saved.cached / (2 * _cached(base.config)),
    }


def _cached(config: ModelConfig) -> int:
    return sum(b.key_value_heads * config.head_dim(b) for b in config.blocks)


def forward_passes(model: Transformer, batch: int) -> Timed:
    """Some passes of a compiled model; returns their seconds."""
    model.compile(jit_compile=True)
    shape = (batch, model.config.context_length)
    rng = np.random.default_rng(0)
    tokens = rng.integers(model.config.vocabulary_size, size=shape).astype("int32")

    def passes(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            model.predict_on_batch(tokens)
        return time.perf_counter() - started

    return passes


def generated_tokens(model: Transformer) -> Timed:
    """Some new tokens after a prompt of half of the context, with a cache."""
    prompt = np.zeros((1, model.config.context_length // 2), "int32")
    settle(model, prompt, model.config.context_length // 2)

    def tokens(count: int) -> float:
        started = time.perf_counter()
        generate(model, prompt, steps=4 * count)
        return time.perf_counter() - started

    return tokens


def _peak_bytes(share: str, width: int, name: str) -> int:
    """What training one model takes in a fresh process, at its peak."""
    module = "kit.studies.sharing.speed"
    command = [sys.executable, "-m", module, share, str(width), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


def main(share: str, width: str, name: str) -> None:
    """Train a few steps, then print the bytes that this took."""
    config = narrow(int(width))
    if name == "shared":
        config = shared_config(config, by_list(LISTS[share], range(BLOCKS)))
    before = peak_bytes()
    training_steps(config)(3)
    print(json.dumps(peak_bytes() - before))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Models that share attention maps, in this kit through its public doors."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import kit_gpt, kit_pruning
from benchmarks.sharing_cases import RATES, SharingCase
from kit.compiled import compiled
from kit.config import ModelConfig
from kit.counts import flops_per_token
from kit.models import Transformer, build, generate, transplant
from kit.models.reader import reader_of, settle
from kit.pretrained import load
from kit.sharing import Copies, by_list, copies_at_rate, share
from kit.training.feeding import feed


def dense_model(case: SharingCase) -> Transformer:
    """The model of a case before anything is shared."""
    if case.checkpoint is not None:
        return load(case.checkpoint, context_length=case.time).model
    return kit_pruning.spread(build(config(case)))


def config(case: SharingCase) -> ModelConfig:
    """A GPT of the case's sizes: learned positions, GELU, tied head."""
    return ModelConfig.uniform(
        case.blocks,
        vocabulary_size=case.vocabulary,
        context_length=case.time,
        width=case.width,
    ).with_every_block(num_heads=case.heads)


def copies(blocks: int, rate: float) -> Copies:
    """Blocks in a row copy from the first. Which copy from which is not looked at: it
    makes no difference to the speed."""
    count = copies_at_rate(rate, range(blocks))
    return by_list(range(1, 1 + count), range(blocks))


def model_of(case: SharingCase, name: str) -> Transformer:
    """One of `sharing_cases.MODELS`; all have the weights of the first."""
    dense = dense_model(case)
    if name == "fused":
        return transplant(dense, replace(dense.config, fused_attention=True))
    return share(dense, copies(len(dense.blocks), float(name)))


def draw_tokens(case: SharingCase, vocabulary: int) -> np.ndarray:
    """(sequences, time + 1) random tokens, enough for every use."""
    rows = max(case.sequences, case.steps * case.batch)
    rng = np.random.default_rng(0)
    return rng.integers(vocabulary, size=(rows, case.time + 1), dtype="int32")


def write(dense: Transformer, case: SharingCase, folder: Path) -> None:
    """Leave the model before anything is shared, tokens and what is copied in a folder,
    for peers that are not this kit."""
    tokens = draw_tokens(case, dense.config.vocabulary_size)
    kit_pruning.write(dense, tokens, folder)
    copied = {str(rate): copies(len(dense.blocks), rate) for rate in RATES}
    (folder / "copies.json").write_text(json.dumps(copied), "utf-8")


def operations(config: ModelConfig, case: SharingCase, use: str, room: int) -> int:
    """Of a forward pass per token; in generation beside all that there is room for."""
    return flops_per_token(config, room if use == "generate" else case.time)


def prepare(
    case: SharingCase, name: str, use: str
) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """What there is to say about a model, and what can be done with it.

    Returns:
        The operations of a token; and functions of the use and of `"logits"`, of which
        the latter returns those of the first sequence.
    """
    model = model_of(case, name)
    tokens = draw_tokens(case, model.config.vocabulary_size)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    forward = compiled(model, xla=True, variables=model.weights)
    prompt, total = inputs[:1, : case.prompt], case.prompt + case.generated
    if use == "train":
        kit_gpt.compile_for_training(model, case.steps)
    if use == "generate":
        settle(model, prompt, case.generated)
    rows = case.steps * case.batch
    uses: dict[str, Callable[[], Any]] = {
        "forward": lambda: np.asarray(forward(inputs[: case.sequences])),
        "generate": lambda: generate(model, prompt, steps=case.generated),
        "train": lambda: model.fit(
            **feed(case.batch, inputs[:rows], targets[:rows]), shuffle=False, verbose=0
        ),
    }
    room = reader_of(model, total).length
    return {"flops": operations(model.config, case, use, room)}, {
        use: uses[use],
        "logits": lambda: np.asarray(model(inputs[:1])),
    }

"""The model and its steps in this kit, through its public doors."""

import math
from collections.abc import Callable
from typing import Any

from benchmarks.cases import CLIP_NORM, OPTIMIZER, WATCHED, Case
from kit.config import ModelConfig


def config(case: Case) -> ModelConfig:
    """The case as a model of this kit."""
    return ModelConfig.uniform(
        case.blocks,
        case.block,
        vocabulary_size=case.vocabulary,
        context_length=case.context,
        width=case.width,
        positions="learned",
    ).with_every_block(num_heads=case.heads)


def compile_for_training(model: Any, steps: int, block_rates: Any = None) -> None:
    """AdamW, clipping and the loss, for steps that are timed some at once."""
    from kit.training import TrainConfig, token_cross_entropy
    from kit.training.optimizer import make_optimizer

    beta_1, beta_2 = OPTIMIZER["betas"]
    training = TrainConfig(
        steps=10**6,
        evaluate_every=10,
        learning_rate=OPTIMIZER["learning_rate"],
        warmup_steps=0,
        weight_decay=OPTIMIZER["weight_decay"],
        beta_1=beta_1,
        beta_2=beta_2,
        clip_norm=CLIP_NORM,
        block_rates=block_rates,
    )
    model.compile(
        optimizer=make_optimizer(training, model),
        loss=token_cross_entropy,
        jit_compile=True,
        steps_per_execution=math.gcd(steps, 10),
    )


def prepare(case: Case) -> dict[str, Callable[[], object]]:
    """Build everything; the returned functions take all steps of the case."""
    from kit.models import build
    from kit.rates import BlockRates
    from kit.sharpness import SharpnessCallback
    from kit.training.feeding import feed

    model = build(config(case))
    rates = BlockRates() if case.feature == "blockwise" else None
    compile_for_training(model, case.steps, rates)
    batches = case.batches()
    inputs, targets = (part.reshape(-1, case.context) for part in batches)
    watch = SharpnessCallback(list(zip(*batches, strict=True))[:WATCHED])
    callbacks = [watch] if case.feature == "sharpness" else []

    def train() -> None:
        model.fit(
            **feed(case.batch, inputs, targets),
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )

    def forward() -> object:
        return model.predict(**feed(case.batch, inputs), verbose=0)

    return {"train": train, "forward": forward}

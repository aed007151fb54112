"""The optimizer that a `TrainConfig` asks for."""

import keras

from kit.optimizers import (
    AdamW,
    BlockSchedule,
    Lion,
    WarmUpSchedule,
    WarmUpStableDecay,
    blockwise,
)
from kit.optimizers.labels import role_or_head
from kit.rates import HEAD
from kit.training.config import TrainConfig

KINDS = {"adamw": AdamW, "lion": Lion}


def make_optimizer(config: TrainConfig, model: keras.Model) -> keras.Optimizer:
    """The optimizer of a config, built for the variables of a model.

    Built here, because TensorFlow traces a step that makes variables twice, and because
    a role without a ratio is then named where the config is at hand.
    """
    optimizer = KINDS[config.optimizer](
        learning_rate=make_schedule(config),
        weight_decay=config.weight_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        global_clipnorm=config.clip_norm,
    )
    if not config.decay_everything:
        vectors = [v for v in model.trainable_variables if len(v.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=vectors)
    rates = config.block_rates
    if rates:
        label = role_or_head if HEAD in rates.ratios else None
        optimizer = blockwise(optimizer, rates.ratios, label, rates.scale_decay)
    optimizer.build(model.trainable_variables)
    return optimizer


def make_schedule(config: TrainConfig) -> BlockSchedule:
    """The learning rate over time that the config asks for."""
    scaling = config.block_rates.scaling if config.block_rates else "curve"
    peak, steps, warmup = config.learning_rate, config.steps, config.warmup_steps
    final = config.final_learning_rate
    if config.schedule == "wsd":
        return WarmUpStableDecay(peak, steps, warmup, final, scaling)
    return WarmUpSchedule(peak, steps, warmup, config.schedule, final, scaling)

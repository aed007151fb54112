"""The optimizer that a `TrainConfig` asks for."""

import keras

from kit.optimizers import AdamW, WarmUpSchedule
from kit.training.config import TrainConfig


def make_optimizer(config: TrainConfig, model: keras.Model) -> keras.Optimizer:
    """AdamW as the config says; weight decay on matrices only."""
    optimizer = AdamW(
        learning_rate=WarmUpSchedule(
            config.learning_rate,
            config.steps,
            config.warmup_steps,
            config.schedule,
            config.final_learning_rate,
        ),
        weight_decay=config.weight_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        global_clipnorm=config.clip_norm,
    )
    vectors = [v for v in model.trainable_variables if len(v.shape) < 2]
    optimizer.exclude_from_weight_decay(var_list=vectors)
    return optimizer

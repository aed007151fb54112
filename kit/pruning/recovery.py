"""Training after pruning, which no method here needs: told apart from what it does."""

from kit.data import Task
from kit.models import Transformer
from kit.training import TrainConfig
from kit.training.continued import Continued, ContinuedTrainer
from kit.training.trainer import Progress

RECOVERY = TrainConfig(
    steps=200,
    batch_size=16,
    learning_rate=3e-4,
    warmup_steps=20,
    final_learning_rate=0.0,
    weight_decay=0.0,
    evaluate_every=50,
)
"""A short cosine from a low peak: the weights are good already, and shall stay near."""


Recovered = Continued


def recover(
    model: Transformer,
    task: Task,
    config: TrainConfig = RECOVERY,
    *,
    seed: int = 0,
    progress: Progress = True,
) -> Recovered:
    """Train a pruned model a little, from the weights that it has.

    2SSP (2501.17771) does without; report it apart from the pruning, and give each
    method the same. The model that is given is not changed, and what was removed stays
    away: it is in no config any more.

    Args:
        model: A kit model, such as `two_stage(...).model`.
        task: What it learns, such as `kit.data.TextTask("docs", tokenizer)`.
        config: How; `dataclasses.replace(RECOVERY, steps=1000)` is longer, and with
            `schedule="constant"` at one rate.
        seed: Of the training data.
        progress: A progress bar, or a function that gets the share done.

    Raises:
        KitError: Model and task do not fit.

    Example:
        >>> from dataclasses import replace
        >>> from kit.config import ModelConfig
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> from kit.pruning import keep_neurons
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> quick = replace(RECOVERY, steps=4, warmup_steps=0, evaluate_every=4)
        >>> smaller = keep_neurons(build(config), {0: range(9)})
        >>> found = recover(smaller, task, quick, progress=False)
        >>> found.after["loss"] < found.before["loss"]
        True
    """
    return ContinuedTrainer(model, task, config).go_on(seed, progress=progress)

"""Training the checkpoints that ship: `python -m kit.pretrained.train NAME`.

A run that is stopped goes on where it was when it is called again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.config import ModelConfig
from kit.data import Addition, TextTask
from kit.errors import KitError, in_one_line, known
from kit.paths import runs_dir
from kit.pretrained.own import write
from kit.pretrained.own_cards import FOLDER
from kit.training import TrainConfig, train

SEED = 0


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is made.

    Args:
        about: What it is, in a line.
        model: The model as data.
        task: What it learns.
        train: How.
    """

    about: str
    model: ModelConfig
    task: Any
    train: TrainConfig


def text_8() -> Recipe:
    """Eight blocks with feed-forwards of four widths: both stages of 2SSP act."""
    task = TextTask(
        "docs",
        {"bpe": 1024},
        context_length=128,
        validation_tokens=32_768,
        sampling="epoch",
    )
    model = ModelConfig.uniform(
        8,
        width=128,
        positions="learned",
        initializer_std=0.05,  # 0.02 at a width of 768
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
    )
    how = TrainConfig(steps=1800, batch_size=16, learning_rate=2e-3, evaluate_every=180)
    return Recipe("text GPT of 8 blocks, trained on documentation", model, task, how)


def addition_4() -> Recipe:
    """The base model of the symmetry study, which learns all digits."""
    task = Addition(reverse_answer=True, start=True, validation_pairs=1000)
    model = ModelConfig.uniform(
        4,
        width=64,
        positions="learned",
        initializer_std=0.15,
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
    )
    how = TrainConfig(
        steps=2000,
        batch_size=128,
        learning_rate=3e-3,
        schedule="linear",
        weight_decay=0.01,
    )
    return Recipe("GPT of 4 blocks that adds two 3-digit numbers", model, task, how)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "text-8": text_8,
    "addition-4": addition_4,
}


def make(
    name: str,
    folder: Path = FOLDER,
    steps: int | None = None,
    progress: Any = True,
) -> dict[str, Any]:
    """Train a checkpoint and write it, with its card.

    Args:
        name: One of `RECIPES`.
        folder: Where the two files go.
        steps: Fewer steps, to try it; the schedule becomes as short.
        progress: See `kit.training.train`.

    Returns:
        The card.

    Raises:
        KitError: There is no such recipe, or the training diverged.
    """
    recipe = RECIPES[known("recipe", name, RECIPES)]()
    how, command = recipe.train, f"python -m kit.pretrained.train {name}"
    if steps is not None:
        few = min(how.warmup_steps, steps // 10)
        how = replace(how, steps=steps, evaluate_every=steps, warmup_steps=few)
        command += f" --steps {steps}"
    directory = runs_dir() / "pretrained" / f"{name}-{how.steps}"
    kept = {"directory": directory, "progress": progress}
    run = train(recipe.model, recipe.task, how, seed=SEED, **kept)
    if run.status == "diverged":
        raise KitError(f"{name} diverged after {run.steps} steps", "Lower its rate")
    notes = {
        "about": recipe.about,
        "licence": "Apache-2.0",
        "command": command,
        "seed": SEED,
        "minutes": round(run.training_seconds / 60, 1),
    }
    return write(name, run.model, recipe.task, how, notes, folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; what is wrong is told in one line."""
    parser = argparse.ArgumentParser("python -m kit.pretrained.train")
    parser.add_argument("name", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument("--steps", type=int, help="fewer steps, to try it")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the files")
    told = parser.parse_args(arguments)
    with in_one_line():
        card = make(told.name, told.out, told.steps)
    size = (told.out / card["weights"]["file"]).stat().st_size / 1e6
    print(f"{told.name}: {card['about']}, {size:.1f} MB")
    print(", ".join(f"{key} {value:.4g}" for key, value in card["held_out"].items()))


if __name__ == "__main__":
    main()

"""Models as they are handed in for a defence, and how they are saved and read.

They are data and are never run: for each seed the weights as safetensors and the config
as JSON, small enough to look at.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kit.config import ModelConfig
from kit.counts import parameter_counts
from kit.errors import KitError

if TYPE_CHECKING:
    from kit.models import Transformer

PARAMETERS = 120_000  # a model may have
CONTEXT, VOCABULARY = 64, 512  # it has
LARGEST_FILE = 2**20  # bytes
MOST_BLOCKS = 64
MOST_MODELS = 20  # more would keep the judge busy, and say little more


class Saved(NamedTuple):
    """One model as it was handed in.

    Args:
        name: Of its two files, without ending.
        config, weights: Their contents.

    Example:
        >>> Saved("seed-0", b"{}", b"").name
        'seed-0'
    """

    name: str
    config: bytes
    weights: bytes


def save(model: "Transformer", folder: str | Path, seed: int) -> None:
    """Save a model as it is handed in: `seed-0.json` and `seed-0.safetensors`.

    Args:
        model: A kit model.
        folder: Where; it is made if it is not there.
        seed: Of its training.
    """
    from safetensors.numpy import save_file

    from kit.models import named_weights

    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    weights = {name: np.asarray(value) for name, value in named_weights(model).items()}
    save_file(weights, path / f"seed-{seed}.safetensors")
    config = json.dumps(model.config.to_dict(), indent=1)
    (path / f"seed-{seed}.json").write_text(config, "utf-8")


def read(folder: str | Path) -> list[Saved]:
    """What lies in a folder, by name.

    Raises:
        KitError: There is nothing, too much, half of something, or a file that is too
            large.

    Example:
        >>> read(".")
        Traceback (most recent call last):
        ...
        kit.errors.KitError: no model was handed in: the folder has no file ...
    """
    found = []
    paths = sorted(Path(folder).glob("*.safetensors"))
    if len(paths) > MOST_MODELS:
        raise KitError(
            f"{len(paths)} models were handed in, more than {MOST_MODELS}",
            "Hand in one for each seed, and no checkpoints of the way there",
        )
    for path in paths:
        parts = []
        for file in (path.with_suffix(".json"), path):
            if not file.is_file():
                raise KitError(f"{file.name} is missing", "Hand in both files")
            if file.stat().st_size > LARGEST_FILE:
                raise KitError(
                    f"{file.name} has {file.stat().st_size:,} bytes, more than "
                    f"{LARGEST_FILE:,}",
                    f"A model may have {PARAMETERS:,} parameters, in float32",
                )
            parts.append(file.read_bytes())
        found.append(Saved(path.stem, *parts))
    if not found:
        raise KitError(
            "no model was handed in: the folder has no file that ends in .safetensors",
            "Save one for each seed with kit.submission.save",
        )
    configs = {path.stem for path in Path(folder).glob("seed-*.json")}
    if alone := configs - {path.stem for path in paths}:
        raise KitError(f"{min(alone)}.safetensors is missing", "Hand in both files")
    return found


def config_of(saved: Saved) -> ModelConfig:
    """The config of a model.

    Raises:
        KitError: It is no config, or not one for this text.
    """
    try:
        config = ModelConfig.from_dict(json.loads(saved.config))
    except (ValueError, TypeError, AttributeError, RecursionError, KitError) as error:
        raise KitError(
            f"{saved.name}.json is no config of a model: {str(error)[:200]}",
            "Save model.config.to_dict()",
        ) from error
    if (config.vocabulary_size, config.context_length) != (VOCABULARY, CONTEXT):
        raise KitError(
            f"{saved.name} has a vocabulary of {config.vocabulary_size} and a context "
            f"of {config.context_length}, not {VOCABULARY} and {CONTEXT}",
            "Train on the text of the exercise",
        )
    if len(config.blocks) > MOST_BLOCKS:
        raise KitError(
            f"{saved.name} has {len(config.blocks)} blocks, more than {MOST_BLOCKS}",
            "Take fewer",
        )
    return config


def opened(saved: Saved) -> tuple[ModelConfig, dict[str, np.ndarray]]:
    """Config and weights of a model.

    Raises:
        KitError: One of the two cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = load(saved.weights)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise KitError(
            f"{saved.name}.safetensors cannot be read: {str(error)[:200]}",
            "Write it with safetensors.numpy.save_file",
        ) from error
    return config_of(saved), weights


def size_of(saved: Saved) -> int:
    """Parameters of a model: by its config, or of its file if that holds more."""
    config, weights = opened(saved)
    in_file = sum(array.size for array in weights.values())
    return max(sum(parameter_counts(config).values()), in_file)

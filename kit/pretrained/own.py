"""Checkpoints of the kit's own: float16 weights, the tokenizer and held-out data."""

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kit
from kit.config import ModelConfig
from kit.data import Addition, Batch
from kit.data.files import write_atomically
from kit.data.tokenizers import Tokenizer, tokenizer_from_dict
from kit.errors import KitError
from kit.models import Transformer, build, named_weights
from kit.pretrained.fetching import sha256_of
from kit.pretrained.own_cards import FOLDER, card
from kit.training import TrainConfig, evaluate

WEIGHT, HELD_OUT = "weights/", "held_out/"
ROW = "positions/table"  # one for each position: the only one that context cuts


def read_model(
    name: str, context_length: int | None = None, folder: Path = FOLDER
) -> Transformer:
    """The model of a checkpoint, in float32.

    Raises:
        KitError: The context is longer than what it was trained for.
    """
    stored = ModelConfig.from_dict(card(name, folder)["model"])
    length = context_length or stored.context_length
    if length > stored.context_length:
        raise KitError(
            f"{name} has learnt {stored.context_length} positions, fewer than "
            f"context_length={length}",
            f"Use {stored.context_length} or fewer",
        )
    arrays = _read(name, folder)
    model = build(replace(stored, context_length=length), name=name.replace("-", "_"))
    for key, variable in named_weights(model).items():
        value = arrays[f"{WEIGHT}{key}"]
        variable.assign((value[:length] if key == ROW else value).astype("float32"))
    return model


def read_tokenizer(name: str, folder: Path = FOLDER) -> Tokenizer | None:
    """The tokenizer of a checkpoint; addition has none, its task spells sums."""
    arrays = _read(name, folder)
    if "tokenizer" not in arrays:
        return None
    content = json.loads(str(arrays["tokenizer"]))
    return tokenizer_from_dict(content | {"spec": name})


def held_out(name: str, folder: Path = FOLDER) -> Batch:
    """Data that a checkpoint of the kit's own has never seen, which its card is of.

    Args:
        name: One of `kit.pretrained.CHECKPOINTS` that ships with the kit.
        folder: Where the files lie.

    Returns:
        Inputs and targets (sequences, time).

    Raises:
        KitError: There is no such checkpoint.

    Example:
        >>> held_out("text-80")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: unknown checkpoint of the kit 'text-80'. ...
    """
    card(name, folder)  # raises
    arrays = _read(name, folder)
    parts = [arrays[f"{HELD_OUT}{part}"] for part in Batch._fields]
    return Batch(*(part.astype("int32") for part in parts))


def write(
    name: str,
    model: Transformer,
    task: Any,
    how: TrainConfig,
    notes: Mapping[str, Any],
    folder: Path = FOLDER,
) -> dict[str, Any]:
    """Write the file of a trained model and its card; what is stored is what is judged.

    Args:
        name: Of the checkpoint.
        model: The trained model; its weights become what float16 holds of them.
        task: An `Addition` or a `TextTask`.
        how: The training.
        notes: What else the card says.
        folder: Where.
    """
    arrays: dict[str, np.ndarray] = {}
    for key, variable in named_weights(model).items():
        half = np.asarray(variable).astype("float16")
        variable.assign(half.astype("float32"))
        arrays[f"{WEIGHT}{key}"] = half
    for part, array in task.validation()._asdict().items():
        arrays[f"{HELD_OUT}{part}"] = array.astype("int16")
    source = "drawn as it is learnt"
    if not isinstance(task, Addition):
        arrays["tokenizer"] = np.array(json.dumps(task.tokenizer.to_dict()))
        source = task.corpus.source
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.npz"
    np.savez_compressed(file, allow_pickle=False, **arrays)
    content = {
        **notes,
        "model": model.config.to_dict(),
        "task": task.spec(),
        "train": how.to_dict(),
        "data": {"fingerprint": task.fingerprint, "source": source},
        "held_out": evaluate(model, task),
        "parameters": model.count_params(),
        "weights": {
            "file": file.name,
            "sha256": sha256_of(file),
            "precision": "float16, read as float32",
        },
        "environment": _environment(),
    }
    path = folder / f"{name}.json"
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    path.chmod(0o644)  # it ships, to be read by anyone
    return content


def _read(name: str, folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _environment() -> dict[str, str]:
    return {
        "kit": kit.__version__,
        "python": platform.python_version(),
        "keras": version("keras"),
        "backend": keras.backend.backend(),
        "numpy": version("numpy"),
        "system": f"{platform.system()} {platform.machine()}",
    }

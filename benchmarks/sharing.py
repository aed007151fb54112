"""Rows about shared attention maps: against none shared, fused kernels, and PyTorch."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.pruning import ratios
from benchmarks.sharing_cases import MODELS, PAPER, SHARING, SharingCase
from benchmarks.turns import Peer
from kit.pretrained import found

SAME = 1e-3  # logits that differ by less, as a share of the largest, are the same
SIDES = ("kit", "torch")
Turns = list[dict[str, dict[str, float]]]


def measure(name: str, pairs: int) -> Iterator[list[dict]]:
    """Rows of one case, on each number of cores; none without its checkpoint."""
    case = SHARING[name]
    if case.checkpoint is not None and found()[case.checkpoint] is None:
        print(f"{name:44} left out: run kit fetch {case.checkpoint} first", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        start("kit weights", name, 2, folder, "forward").end()
        for cores in case.cores:
            for use in case.tokens:
                yield compare(name, use, cores, pairs, folder)


def start(peer: str, name: str, cores: int, folder: str, use: str) -> Peer:
    """A model of a side, such as "kit 0.23", for one use."""
    return Peer(peer, name, cores, folder, use, module="benchmarks.sharing_worker")


def peers_of(case: SharingCase, use: str) -> list[str]:
    """Who takes turns. PyTorch and the fused kernel are left out of training where it
    does not fit into memory with them."""
    if use == "train" and not case.all_train:
        return [f"kit {model}" for model in MODELS if model != "fused"]
    return [f"{side} {model}" for side in SIDES for model in MODELS]


def compare(name: str, use: str, cores: int, pairs: int, folder: str) -> list[dict]:
    """Rows of one use on some cores."""
    case = SHARING[name]
    peers = [start(peer, name, cores, folder, use) for peer in peers_of(case, use)]
    differences = {}
    for peer in peers:
        peer.turn("logits")
        differences[peer.name] = difference(Path(folder), peer.name)
    for peer in peers:
        peer.turn(use)  # compiles
    turns = [{peer.name: peer.turn(use) for peer in peers} for _ in range(pairs)]
    flops = {peer.name: peer.ready["flops"] for peer in peers if peer.ready}
    for peer in peers:
        peer.end()
    rows = []
    for peer in peers:
        row = make_row(name, use, cores, peer.name, turns, flops)
        rows.append(row | {"logits_difference": differences[peer.name]})
    return rows


def difference(folder: Path, peer: str) -> float:
    """How far the logits are from those of the kit's model with the explicit map.

    Raises:
        SystemExit: Too far.
    """
    side, _, model = peer.partition(" ")
    reference = f"kit {'0' if model == 'fused' else model}"
    mine, theirs = (np.load(folder / f"{each}.npy") for each in (peer, reference))
    apart = float(np.abs(mine - theirs).max() / np.abs(theirs).max())
    if apart > SAME:
        sys.exit(f"error: the logits of {peer} differ from the kit's by {apart:.1e}.")
    return apart


def make_row(
    name: str, use: str, cores: int, peer: str, turns: Turns, flops: dict[str, int]
) -> dict[str, Any]:
    """How fast one model is beside those that it is compared with."""
    side, _, model = peer.partition(" ")
    tokens = SHARING[name].tokens[use]
    row: dict[str, Any] = {
        "name": f"sharing {use} of {name}, {cores} core" + "s" * (cores > 1),
        "peer": side,
        "model": model,
        "pairs": len(turns),
        "tokens_per_second": tokens / median(turn[peer]["seconds"] for turn in turns),
        "peak_megabytes": turns[-1][peer]["peak_megabytes"],
    }

    def beside(other: str) -> list[float]:
        return [turn[other]["seconds"] / turn[peer]["seconds"] for turn in turns]

    if model != "0":
        row |= ratios(beside(f"{side} 0"))
    if model not in ("0", "fused"):
        row["bound_by_flops"] = flops["kit 0"] / flops[f"kit {model}"]
        if f"{side} fused" in turns[0]:
            row["beside_fused"] = median(beside(f"{side} fused"))
        if use in PAPER:
            row["paper_ratio"] = PAPER[use][float(model)]
    if side == "torch":
        row["kit_ratio"] = 1 / median(beside(f"kit {model}"))
    return row


def show(row: dict) -> str:
    """One row as a line."""
    model = row["model"]
    if model != "fused":
        model = f"{float(model):.0%} copied"
    line = (
        f"{row['name'].removeprefix('sharing '):36} {row['peer']:6} {model:10} "
        f"{row['tokens_per_second']:9,.0f} tokens/s {row['peak_megabytes']:6,.0f} MB"
    )
    if "ratio_median" in row:
        line += (
            f", {row['ratio_median']:.2f}x of none copied "
            f"({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
        )
    if "bound_by_flops" in row:
        line += f", by operations {row['bound_by_flops']:.2f}x"
    if "beside_fused" in row:
        line += f", {row['beside_fused']:.2f}x of none copied with the fused kernel"
    if "paper_ratio" in row:
        line += f", the paper's on a GPU {row['paper_ratio']:.2f}x"
    if "kit_ratio" in row:
        line += f", kit is {row['kit_ratio']:.2f}x as fast"
    return line

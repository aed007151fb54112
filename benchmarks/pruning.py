"""Rows about pruning: against PyTorch, and how fast what is left of a model is."""

import sys
import tempfile
from collections.abc import Iterator
from statistics import median

from benchmarks.pruning_cases import FASTER, MEMORY, PRUNED, PRUNING, SPARSITIES
from benchmarks.turns import Peer
from kit.pretrained import found

SAME = 1e-3  # perplexities that differ by less, as a share, are the same answer


def measure(name: str, pairs: int) -> Iterator[list[dict]]:
    """Rows of one case, on each number of cores; none without its checkpoint."""
    case = (PRUNING | PRUNED)[name]
    if case.checkpoint is not None and found()[case.checkpoint] is None:
        print(f"{name:44} left out: run kit fetch {case.checkpoint} first", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        if name in PRUNING:
            start("weights", name, 2, folder).end()
        for cores in case.cores:
            compare = against_torch if name in PRUNING else against_dense
            yield compare(name, cores, pairs, folder)


def start(peer: str, name: str, cores: int, folder: str) -> Peer:
    """A peer of a case."""
    return Peer(peer, name, cores, folder, module="benchmarks.pruning_worker")


def against_torch(name: str, cores: int, pairs: int, folder: str) -> list[dict]:
    """The same model pruned with the same data, by the kit and by PyTorch."""
    one_pass = start("kit forward", name, cores, folder)
    forward = one_pass.turn("forward")["peak_megabytes"]
    one_pass.end()
    peers = [start(peer, name, cores, folder) for peer in ("kit", "torch")]
    first = {peer.name: peer.turn("prune") for peer in peers}  # not timed
    same = agreement(first["kit"], first["torch"])
    same["bound_by_flops"] = first["kit"]["bound_by_flops"]
    turns = [{p.name: p.turn("prune")["seconds"] for p in peers} for _ in range(pairs)]
    for peer in peers:
        peer.end()
    return [
        pruning_row(name, cores, peer, turns, answer)
        | (same if peer == "torch" else memory(answer["peak_megabytes"], forward))
        for peer, answer in first.items()
    ]


def pruning_row(
    name: str, cores: int, peer: str, turns: list[dict[str, float]], answer: dict
) -> dict:
    """What one peer needed, and its ratio to the kit."""
    row = {
        "name": f"pruning {name}, {cores} core" + "s" * (cores > 1),
        "peer": peer,
        "pairs": len(turns),
        "seconds": median(turn[peer] for turn in turns),
        "candidates": answer["candidates"],
        "block_evaluations": answer["block_evaluations"],
    }
    if peer != "kit":
        row |= ratios([turn[peer] / turn["kit"] for turn in turns])
        row["ratio_wanted"] = FASTER
    return row


def ratios(each: list[float]) -> dict[str, float]:
    """The middle and the ends of what the pairs gave."""
    return {
        "ratio_median": median(each),
        "ratio_min": min(each),
        "ratio_max": max(each),
    }


def memory(pruning: float, forward: float) -> dict[str, float]:
    """Megabytes that pruning and one forward pass add to a process without a model."""
    return {
        "peak_megabytes": pruning,
        "forward_megabytes": forward,
        "memory_ratio": pruning / forward,
        "memory_ratio_allowed": MEMORY,
    }


def agreement(ours: dict, theirs: dict) -> dict:
    """How alike two answers are: what went, and the perplexity after each removal.

    Two candidates can be so close that rounding decides; the perplexities are then the
    same, and so is the answer.

    Raises:
        SystemExit: They are not the same answer.
    """
    pairs = zip(ours["perplexities"], theirs["perplexities"], strict=True)
    difference = max((abs(one / other - 1) for one, other in pairs), default=0.0)
    blocks = zip(ours["neurons"], theirs["neurons"], strict=True)
    common = [len({*one} & {*other}) / len(other) for one, other in blocks]
    if difference > SAME or min(common) < 0.99:
        sys.exit(
            "error: the peers did not reach the same answer. Their perplexities differ "
            f"by {difference:.1e}, and of the neurons {min(common):.1%} are the same."
        )
    return {
        "perplexity_difference": difference,
        "same_attentions": ours["parts"] == theirs["parts"],
        "neurons_in_common": min(common),
    }


def against_dense(name: str, cores: int, pairs: int, folder: str) -> list[dict]:
    """A forward pass and generation of what is left, and of the dense model."""
    kit = start("kit", name, cores, folder)
    actions = [(use, s) for use in PRUNED[name].tokens for s in SPARSITIES]
    turns = [
        {action: kit.turn("{} {}".format(*action))["seconds"] for action in actions}
        for _ in range(pairs)
    ]
    bounds = kit.turn("sizes")
    kit.end()
    return [
        pruned_row(name, cores, action, turns, bounds["{} {}".format(*action)])
        for action in actions
    ]


def pruned_row(
    name: str, cores: int, action: tuple[str, float], turns: list[dict], bound: float
) -> dict:
    """How fast one model is, and its ratio to the dense one."""
    use, sparsity = action
    row = {
        "name": f"pruning {use} of {name} without {sparsity:.1%}, {cores} core"
        + "s" * (cores > 1),
        "peer": "kit",
        "pairs": len(turns),
        "tokens_per_second": PRUNED[name].tokens[use]
        / median(turn[action] for turn in turns),
    }
    if sparsity:
        row |= ratios([turn[use, 0.0] / turn[action] for turn in turns])
        row["bound_by_flops"] = bound
    return row


def show(row: dict) -> str:
    """One row as a line."""
    line = f"{row['name'].removeprefix('pruning '):44} {row['peer']:6}"
    if "tokens_per_second" in row:
        line += f" {row['tokens_per_second']:9,.0f} tokens/s"
    else:
        line += (
            f" {row['seconds']:6.1f} s, {row['candidates']} candidates in "
            f"{row['block_evaluations']:,} block evaluations"
        )
    if "memory_ratio" in row:
        line += (
            f", {row['peak_megabytes']:,.0f} MB, {row['memory_ratio']:.2f}x of a "
            f"forward pass, up to {row['memory_ratio_allowed']}x wanted"
        )
    if "ratio_median" in row:
        who = "kit is" if "ratio_wanted" in row else "dense model:"
        line += (
            f", {who} {row['ratio_median']:.2f}x "
            f"({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
        )
    if "ratio_wanted" in row:
        alike = "the same" if row["same_attentions"] else "other"
        line += (
            f", {row['ratio_wanted']}x wanted; {alike} attentions, perplexity within "
            f"{row['perplexity_difference']:.0e}"
        )
    if "bound_by_flops" in row:
        line += f", by operations {row['bound_by_flops']:.2f}x"
    return line

"""Time this kit against its peers and write `benchmarks/latest.json`.

Peers run in processes of their own and take turns, so that a machine whose speed
drifts slows them all alike; what is reported is the ratio pair by pair.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median

from benchmarks import pruning, sharing
from benchmarks.cases import ACTIONS, BASE, CASES, FEATURES, PAPER
from benchmarks.kit_gpt import config
from benchmarks.turns import Peer
from benchmarks.worker import KIT_BASE, KIT_PLAIN, MATMUL_FLOPS
from kit.counts import flops_per_token

LATEST = Path(__file__).parent / "latest.json"
TORCH = ("torch", "torch.compile")
FEWEST = 5  # pairs of a row that is stored
ALL = (*CASES, *pruning.PRUNING, *pruning.PRUNED, *sharing.SHARING, "sweep")

Turn = dict[tuple[str, str], dict[str, float]]


def rivals(case: str) -> tuple[str, ...]:
    """Whom the kit is compared with: a simplified block also with Pre-LN, and what is
    added to training with training without it."""
    if case not in CASES:
        return TORCH[:1] if case in {**pruning.PRUNING, **sharing.SHARING} else ()
    if CASES[case].feature:
        return (KIT_PLAIN,)
    return TORCH if CASES[case].block == BASE else (KIT_BASE, *TORCH)


def measure(case: str, pairs: int) -> Iterator[list[dict]]:
    """Rows of one case on one core, then on two."""
    if case == "sweep":
        yield [sweep()]
        return
    if case not in CASES:
        others = sharing if case in sharing.SHARING else pruning
        yield from others.measure(case, pairs)
        return
    for cores in (1, 2):
        yield compare(case, cores, pairs)


def compare(case: str, cores: int, pairs: int) -> list[dict]:
    """Rows of one case on some cores."""
    peers = [Peer(name, case, cores) for name in ("kit", *rivals(case))]
    matmul = Peer("matmul", case, cores)
    turns: list[Turn] = []
    for _ in range(pairs):
        turns.append({("matmul", "matmul"): matmul.turn("matmul")})
        for action in CASES[case].actions:
            turns[-1] |= {(peer.name, action): peer.turn(action) for peer in peers}
    for peer in (*peers, matmul):
        peer.end()
    rows = []
    for action in CASES[case].actions:
        rows += [make_row(case, cores, action, peer, turns) for peer in peers]
        modes = [row for row in rows[-len(peers) :] if row["peer"] in TORCH]
        faster = min(modes, key=lambda row: row["ratio_median"], default=None)
        for row in modes:
            row["faster"] = row is faster
    return rows


def make_row(
    case: str, cores: int, action: str, peer: Peer, turns: list[Turn]
) -> dict[str, object]:
    """What one peer did in all turns, and its ratio to the kit."""
    block = BASE if peer.name == KIT_BASE else CASES[case].block
    flops = {each: flops_of(case, each) for each in (block, CASES[case].block)}
    tokens = CASES[case].tokens
    times = [turn[peer.name, action]["seconds"] for turn in turns]
    matmuls = [turn["matmul", "matmul"]["seconds"] for turn in turns]
    row = {
        "name": f"{action} {case}, {cores} core" + "s" * (cores > 1),
        "peer": peer.name,
        "pairs": len(turns),
        "tokens_per_second": tokens / median(times),
        "gflops": ACTIONS[action] * flops[block] * tokens / median(times) / 1e9,
        "matmul_gflops": MATMUL_FLOPS / median(matmuls) / 1e9,
    }
    if action == "train":
        peak = turns[-1][peer.name, action]["peak_megabytes"]
        row |= {"peak_megabytes": peak, **peer.ready}
    if peer.name != "kit":
        ours = [turn["kit", action]["seconds"] for turn in turns]
        ratios = [their / our for their, our in zip(times, ours, strict=True)]
        row |= {
            "ratio_median": median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
        }
    if peer.name == KIT_PLAIN:
        row |= {
            "overhead": 1 / row["ratio_median"] - 1,
            "overhead_allowed": FEATURES[CASES[case].feature],
        }
    if peer.name == KIT_BASE:
        row["bound_by_flops"] = flops[BASE] / flops[CASES[case].block]
        if action == "train":
            row["paper_ratio"] = PAPER[CASES[case].block]
    return row


def flops_of(case: str, block: str) -> int:
    """Operations of a forward pass per token, with this block at the case's sizes."""
    return flops_per_token(config(replace(CASES[case], block=block)))


def sweep() -> dict:
    """Share of a sweep's time spent outside training steps: 3 arms, 4 seeds, quick."""
    from kit.studies.reproduce import reproduce

    with tempfile.TemporaryDirectory() as folder:
        os.environ["KIT_RUNS"] = folder
        arms = ("A-learned", "B-none", "G-2-consecutive")
        summary = reproduce("symmetry", "quick", seeds=4, arms=arms).summary
    return {
        "name": "sweep of 3 arms and 4 seeds, quick budget",
        "peer": "kit",
        "pairs": summary.finished,
        "seconds": summary.wall,
        "outside_training": summary.overhead,
    }


def show(row: dict) -> str:
    """One row as a line."""
    if row["name"].startswith("pruning "):
        return pruning.show(row)
    if row["name"].startswith("sharing "):
        return sharing.show(row)
    if "outside_training" in row:
        share = row["outside_training"]
        return f"{row['name']:36} {share:.0%} outside training steps"
    line = (
        f"{row['name']:36} {row['peer']:14} {row['tokens_per_second']:9,.0f} tokens/s "
        f"{row['gflops']:5.1f} of {row['matmul_gflops']:5.1f} GFLOP/s"
    )
    if "peak_megabytes" in row:
        line += (
            f", first steps in {row['start_to_first_steps_seconds']:4.1f} s, "
            f"{row['peak_megabytes']:5.0f} MB"
        )
    if "ratio_median" in row:
        line += (
            f", kit is {row['ratio_median']:.2f}x "
            f"({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
            f"{' of the faster mode' * row.get('faster', False)}"
        )
    if "overhead" in row:
        share, allowed = row["overhead"], row["overhead_allowed"]
        line += f", which costs {share:+.1%} of the time, up to {allowed:.0%} wanted"
    if "bound_by_flops" in row:
        line += f", by operations {row['bound_by_flops']:.2f}x"
    if "paper_ratio" in row:
        line += f", the paper's on a GPU {row['paper_ratio']:.2f}x"
    return line


def store(rows: list[dict]) -> None:
    """Put rows in the file, in place of those of the same name."""
    names = {row["name"] for row in rows}
    old = json.loads(LATEST.read_text("utf-8")) if LATEST.exists() else []
    kept = [row for row in old if row["name"] not in names]
    LATEST.write_text(json.dumps(kept + rows, indent=1) + "\n", "utf-8")


def main() -> None:
    """Run the cases, print the rows and store them, case by case."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=f"cases: {', '.join(ALL)}",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=FEWEST,
        help="turns of each; rows of fewer than %(default)s are shown, not stored",
    )
    parser.add_argument(
        "--case",
        action="append",
        metavar="NAME",
        help="run this case alone, or all that a pattern such as 'sas*' names",
    )
    options = parser.parse_args()
    chosen = [
        case
        for case in ALL
        if any(fnmatchcase(case, pattern) for pattern in options.case or ["*"])
    ]
    if not chosen:
        parser.error(f"there is no case {' or '.join(options.case)}")
    if options.pairs < 1:
        sys.exit(f"error: {options.pairs} pairs are none. Use --pairs 1 or more.")
    if (
        any(TORCH[0] in rivals(case) for case in chosen)
        and importlib.util.find_spec("torch") is None
    ):
        sys.exit("error: PyTorch is not installed. Run make bench, which installs it.")
    run(chosen, options.pairs)


def run(cases: Sequence[str], pairs: int) -> None:
    """Show the rows of some cases, and store them unless they are a trial."""
    trial = pairs < FEWEST
    if trial:
        print(f"A trial: fewer than {FEWEST} pairs say little and are not stored.")
    for case in cases:
        for rows in measure(case, pairs):
            print(*map(show, rows), sep="\n", flush=True)
            if not trial:
                store(rows)
    if not trial:
        print(f"Written to {LATEST}")


if __name__ == "__main__":
    main()

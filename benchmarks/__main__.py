"""Time this kit against its peers and write `benchmarks/latest.json`.

Peers run in processes of their own and take turns, so that a machine whose speed
drifts slows them all alike; what is reported is the ratio pair by pair.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.cases import CASES, STEPS
from benchmarks.kit_gpt import config
from benchmarks.worker import MATMUL_FLOPS
from kit.counts import flops_per_token

LATEST = Path(__file__).parent / "latest.json"
PEERS = ("torch", "torch.compile")


class Peer:
    """A worker that is started, timed and ended."""

    def __init__(self, name: str, case: str, cores: int):
        threads = {f"{lib}_NUM_THREADS": str(cores) for lib in ("OMP", "OPENBLAS")}
        command = [sys.executable, "-m", "benchmarks.worker", name, case, str(cores)]
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "KERAS_BACKEND": "tensorflow"},
            text=True,
        )
        self.ready = self._read()

    def _read(self) -> dict[str, float]:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"error: the peer {self.name} ended early.")
        return json.loads(line)

    def turn(self) -> dict[str, float]:
        """Run the timed steps once."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._read()

    def end(self) -> None:
        """Close its input and wait."""
        self.process.stdin.close()
        self.process.wait()


def compare(case: str, cores: int, pairs: int) -> list[dict]:
    """Rows of one case on some cores."""
    names = ("kit", *PEERS, "matmul")
    peers = [Peer(name, case, cores) for name in names]
    turns = [{peer.name: peer.turn() for peer in peers} for _ in range(pairs)]
    for peer in peers:
        peer.end()
    tokens = STEPS[case] * CASES[case].tokens
    flops = 3 * flops_per_token(config(CASES[case])) * tokens
    rate = median(MATMUL_FLOPS / turn["matmul"]["seconds"] for turn in turns) / 1e9
    rows = []
    for peer in peers[:-1]:
        times = [turn[peer.name]["seconds"] for turn in turns]
        row = {
            "name": f"train {case}, {cores} core" + "s" * (cores > 1),
            "peer": peer.name,
            "pairs": pairs,
            "tokens_per_second": tokens / median(times),
            "gflops": flops / median(times) / 1e9,
            "matmul_gflops": rate,
            "peak_megabytes": turns[-1][peer.name]["peak_megabytes"],
            **peer.ready,
        }
        if peer.name != "kit":
            ratios = [
                turn[peer.name]["seconds"] / turn["kit"]["seconds"] for turn in turns
            ]
            row |= {
                "ratio_median": median(ratios),
                "ratio_min": min(ratios),
                "ratio_max": max(ratios),
            }
        rows.append(row)
    rivals = [row for row in rows if row["peer"] != "kit"]
    for row in rivals:
        row["faster"] = row["ratio_median"] == min(r["ratio_median"] for r in rivals)
    return rows


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
    if "outside_training" in row:
        share = row["outside_training"]
        return f"{row['name']:32} {share:.0%} outside training steps"
    line = (
        f"{row['name']:32} {row['peer']:14} {row['tokens_per_second']:9,.0f} tokens/s "
        f"{row['gflops']:5.1f} of {row['matmul_gflops']:5.1f} GFLOP/s, first steps in "
        f"{row['start_to_first_steps_seconds']:4.1f} s, {row['peak_megabytes']:5.0f} MB"
    )
    if "ratio_median" in row:
        line += (
            f", kit is {row['ratio_median']:.2f}x "
            f"({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
            f"{' of the faster mode' * row['faster']}"
        )
    return line


def main() -> None:
    """Run all cases, print the rows and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="turns of each, 5 or more")
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--no-sweep", action="store_true", help="leave the sweep out")
    options = parser.parse_args()
    if options.pairs < 5:
        sys.exit(f"error: {options.pairs} pairs say little. Use --pairs 5 or more.")
    if importlib.util.find_spec("torch") is None:
        sys.exit("error: PyTorch is not installed. Run make bench, which installs it.")
    rows = []
    for case in options.case or CASES:
        for cores in (1, 2):
            for row in compare(case, cores, options.pairs):
                rows.append(row)
                print(show(row), flush=True)
    if not options.no_sweep:
        rows.append(sweep())
        print(show(rows[-1]))
    LATEST.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(f"Written to {LATEST}")


if __name__ == "__main__":
    main()

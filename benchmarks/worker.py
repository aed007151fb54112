"""One peer in a process of its own: ready, then timed whenever it is asked.

Reads what to do for each turn from standard input, a line each, and answers with a line
of JSON. Between turns it sleeps, so that peers take turns on the same cores.
"""

import json
import os
import sys
import time
from dataclasses import replace
from typing import TextIO


def main(peer: str, name: str, cores: int) -> None:
    """Prepare a peer for a case on some cores, then run a turn per line of input."""
    started = time.perf_counter()
    channel = on_cores(cores)
    imported, steps = _prepare(peer, name, cores)
    before = time.perf_counter()
    next(iter(steps.values()))()
    first = time.perf_counter()
    ready = {
        "import_seconds": imported - started,
        "first_steps_seconds": first - before,
        "start_to_first_steps_seconds": first - started,
    }
    for run in steps.values():
        run()
    answer(channel, ready)
    for line in sys.stdin:
        run = steps[line.strip()]
        run()  # not timed: a process that was idle gets its memory back first
        before = time.perf_counter()
        run()
        seconds = time.perf_counter() - before
        answer(channel, {"seconds": seconds, "peak_megabytes": peak_megabytes()})


def _prepare(peer: str, name: str, cores: int):
    from benchmarks.cases import BASE, CASES

    case = CASES[name]
    if peer.startswith("kit"):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(cores)
        import keras  # noqa: F401

        from benchmarks import kit_gpt

        if peer in (KIT_BASE, KIT_PLAIN):
            case = replace(case, block=BASE, feature=None)
        return time.perf_counter(), kit_gpt.prepare(case)
    if peer == "matmul":
        return time.perf_counter(), {"matmul": _matmul()}
    import torch

    torch.set_num_threads(cores)
    from benchmarks.peers import torch_gpt

    imported = time.perf_counter()
    return imported, torch_gpt.prepare(case, compiled=peer == "torch.compile")


KIT_BASE = "kit pre-ln"
"""The peer that is Pre-LN in this kit, with the sizes of the case."""

KIT_PLAIN = "kit plain"
"""The peer that trains the model of the case with nothing added."""

MATMUL, MATMULS = 1024, 10
MATMUL_FLOPS = MATMULS * 2 * MATMUL**3


def _matmul():
    import numpy as np

    matrix = np.random.default_rng(0).standard_normal((MATMUL, MATMUL), dtype="float32")

    def steps() -> None:
        for _ in range(MATMULS):
            matrix @ matrix

    return steps


def on_cores(cores: int) -> TextIO:
    """Stay on some cores. Returns where answers go; all else that is printed does not
    come in between."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel


def answer(channel: TextIO, values: dict) -> None:
    """A line of JSON."""
    channel.write(json.dumps(values) + "\n")
    channel.flush()


def peak_megabytes() -> float:
    """The most memory that this process has held since it began, in 2**20 bytes."""
    from kit.studies.machine import peak_bytes

    return peak_bytes() / 2**20


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

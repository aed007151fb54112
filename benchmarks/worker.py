"""One peer in a process of its own: ready, then timed whenever it is asked.

Reads a line for each turn from standard input and answers with a line of JSON. Between
turns it sleeps, so that peers take turns on the same cores.
"""

import json
import os
import resource
import sys
import time


def main(peer: str, name: str, cores: int) -> None:
    """Prepare a peer for a case on some cores, then run a turn per line of input."""
    started = time.perf_counter()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    imported, steps = _prepare(peer, name, cores)
    before = time.perf_counter()
    steps()
    first = time.perf_counter()
    ready = {
        "import_seconds": imported - started,
        "first_steps_seconds": first - before,
        "start_to_first_steps_seconds": first - started,
    }
    steps()
    _answer(channel, ready)
    for _ in sys.stdin:
        steps()  # not timed: a process that was idle gets its memory back first
        before = time.perf_counter()
        steps()
        seconds = time.perf_counter() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        _answer(channel, {"seconds": seconds, "peak_megabytes": peak})


def _prepare(peer: str, name: str, cores: int):
    from benchmarks.cases import CASES

    case = CASES[name]
    if peer == "kit":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(cores)
        import keras  # noqa: F401

        from benchmarks import kit_gpt

        return time.perf_counter(), kit_gpt.prepare(name, case)
    if peer == "matmul":
        return time.perf_counter(), _matmul()
    import torch

    torch.set_num_threads(cores)
    from benchmarks.peers import torch_gpt

    imported = time.perf_counter()
    return imported, torch_gpt.prepare(name, case, compiled=peer == "torch.compile")


MATMUL = 1024


def _matmul():
    import numpy as np

    matrix = np.random.default_rng(0).standard_normal((MATMUL, MATMUL), dtype="float32")

    def steps() -> None:
        for _ in range(20):
            matrix @ matrix

    return steps


MATMUL_FLOPS = 20 * 2 * MATMUL**3


def _answer(channel, values) -> None:
    channel.write(json.dumps(values) + "\n")
    channel.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

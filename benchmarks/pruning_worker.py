"""A peer that prunes, or uses what is left, in a process of its own.

Like `benchmarks.worker`, but that it does not repeat everything before each turn: it
only reads its weights once, so that a process that was idle has its memory back.
"""

import sys
import time
from pathlib import Path

from benchmarks.pruning_cases import PRUNED, PRUNING
from benchmarks.worker import answer, on_cores, peak_megabytes


def main(peer: str, name: str, cores: int, folder: str) -> None:
    """Prepare a peer for a case on some cores, then run a turn per line of input."""
    channel = on_cores(cores)
    case = (PRUNING | PRUNED)[name]
    before, actions = _prepare(peer, case, name in PRUNED, cores, Path(folder))
    answer(channel, {})
    for line in sys.stdin:
        warm, run = actions[line.strip()]
        warm()
        start = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - start
        memory = {"peak_megabytes": peak_megabytes() - before}
        answer(channel, {"seconds": seconds, **memory, **result})


def _prepare(peer, case, pruned, cores, folder):
    """What memory there was before the model, and what can be done with it."""
    if peer == "torch":
        import torch

        torch.set_num_threads(cores)
        from benchmarks.peers import torch_two_stage

        before = peak_megabytes()
        return before, torch_two_stage.prepare(case, folder)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.constant(0)
    from benchmarks import kit_pruning

    before = peak_megabytes()
    if peer == "weights":
        kit_pruning.write(*kit_pruning.model_and_tokens(case), folder)
        return before, {}
    prepare = kit_pruning.prepare_pruned if pruned else kit_pruning.prepare_pruning
    return before, prepare(case)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])

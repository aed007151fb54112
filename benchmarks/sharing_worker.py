"""A peer with one model that shares attention maps, in a process of its own."""

import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.sharing_cases import SHARING
from benchmarks.worker import answer, on_cores, peak_megabytes


def main(peer: str, case: str, cores: int, folder: Path, use: str) -> None:
    """Prepare a peer, such as "kit 0.23", for one use; then a turn per line of input.

    The first turn is what compiles, and is not to be used.
    """
    channel = on_cores(cores)
    side, _, name = peer.partition(" ")
    about, actions = _prepare(side, case, name, cores, folder, use)
    answer(channel, about)
    for line in sys.stdin:
        action = line.strip()
        run = actions[action]
        if action == "logits":
            np.save(folder / f"{peer}.npy", run())
            answer(channel, {})
            continue
        run()  # not timed: a process that was idle gets its memory back first
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        answer(channel, {"seconds": seconds, "peak_megabytes": peak_megabytes()})


def _prepare(side: str, case: str, name: str, cores: int, folder: Path, use: str):
    if side == "torch":
        import torch

        torch.set_num_threads(cores)
        from benchmarks.peers import torch_sharing

        return torch_sharing.prepare(SHARING[case], name, use, folder)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(cores)
    from benchmarks import kit_sharing

    if name == "weights":
        dense = kit_sharing.dense_model(SHARING[case])
        kit_sharing.write(dense, SHARING[case], folder)
        return {}, {}
    return kit_sharing.prepare(SHARING[case], name, use)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])

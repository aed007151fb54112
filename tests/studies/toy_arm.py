"""An arm without training, for real workers: does at once what its spec says."""

import os
import time

from kit.errors import KitError


def prepare(spec):
    """Build a fake arm.

    `mistake` is what a `KitError` says; `log` names a file that gets a line per seed;
    `crash` maps a seed to a way to end; `diverges` lists seeds; `result` is returned as
    it is; `seconds` is slept.
    """
    if spec.get("unbuildable"):
        raise RuntimeError("no such layer")
    if spec.get("mistake"):
        raise KitError(*spec["mistake"])

    def run(seed, progress):
        if spec.get("log"):
            with open(spec["log"], "a") as file:
                print(spec["level"], seed, os.getpid(), file=file, flush=True)
        crash(spec.get("crash", {}).get(str(seed)))
        print("noise on standard output")
        steps = 4
        for step in range(steps):
            time.sleep(spec.get("seconds", 0.0) / steps)
            progress((step + 1) / steps)
        return spec.get("result") or outcome(spec, seed, steps)

    return run


def crash(how):
    """End the run, or the whole process, in one of three ways."""
    if how == "raise":
        raise FloatingPointError("the loss went away")
    if how == "exit":
        os._exit(7)
    if how == "kill":
        os.kill(os.getpid(), 9)


def outcome(spec, seed, steps):
    """What a run returns: accuracy is the level plus a hundredth per seed."""
    diverged = seed in spec.get("diverges", ())
    return {
        "status": "diverged" if diverged else "finished",
        "metrics": {
            "accuracy": float("nan") if diverged else spec["level"] + 0.01 * seed
        },
        "history": [{"step": s, "loss": 1.0 / (s + 1)} for s in range(steps)],
        "probes": {
            "cores": sorted(os.sched_getaffinity(0)),
            "environment": {
                name: os.environ.get(name)
                for name in ("KERAS_BACKEND", "OMP_NUM_THREADS", "XLA_FLAGS")
            },
        },
        "training_seconds": spec.get("seconds", 0.0),
        "steps": steps,
    }

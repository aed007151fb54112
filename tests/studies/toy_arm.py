"""An arm without training, for real workers: does at once what its spec says."""

import os
import time


def prepare(spec):
    """Build a fake arm; `spec` says what it does."""
    if spec.get("unbuildable"):
        raise RuntimeError("no such layer")
    time.sleep(spec.get("prepare_seconds", 0.0))

    def run(seed, progress):
        if spec.get("log"):
            with open(spec["log"], "a") as file:
                print(spec["level"], seed, os.getpid(), file=file, flush=True)
        crash = spec.get("crash", {}).get(str(seed))
        if crash == "raise":
            raise FloatingPointError("the loss went away")
        if crash == "exit":
            os._exit(7)
        if crash == "kill":
            os.kill(os.getpid(), 9)
        print("noise on standard output")
        steps = 4
        for step in range(steps):
            time.sleep(spec.get("seconds", 0.0) / steps)
            progress((step + 1) / steps)
        accuracy = spec["level"] + 0.01 * seed
        diverged = seed in spec.get("diverges", ())
        return {
            "status": "diverged" if diverged else "finished",
            "metrics": {"accuracy": float("nan") if diverged else accuracy},
            "history": [{"step": s, "loss": 1.0 / (s + 1)} for s in range(steps)],
            "probes": {"map": [[1.0, 0.0], [0.0, 1.0]]},
            "training_seconds": spec.get("seconds", 0.0),
            "steps": steps,
        }

    return run

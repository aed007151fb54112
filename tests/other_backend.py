"""The same computations on another backend, all in one process.

`python -m tests.other_backend FILE` computes everything on the backend that
`KERAS_BACKEND` names; `results("jax")` runs that once and reads the file.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import keras
import numpy as np

from kit.data import IGNORED, Addition
from kit.models import build, generate, named_weights
from kit.models.reader import PAYS_FROM
from kit.optimizers import AdamW
from kit.training import TrainConfig, Trainer, token_cross_entropy
from tests.cases import CASES, case_logits, shake, shaken, some_tokens
from tests.layers.derivatives import PAIRS, derivatives
from tests.layers.layer_cases import LAYERS, input_shape

ROOT = Path(__file__).parents[1]
STEPS = 4
# As in pyproject.toml: Keras' own variables on JAX warn when they are read.
KERAS_ON_JAX = "ignore:__array__ implementation doesn't accept:DeprecationWarning"
CONTINUED = ("copied-grouped-rotary",)
# Between them these hold every kind of weight; case and norm to clip at.
OPTIMIZED = {
    "tied": ("pre-ln", 1.0),
    "no-skips": ("no-skips-post", 1.0),
    "sas": ("sas", 1.0),
    "untied": ("untied", 1.0),
    "untied-unclipped": ("untied", None),
    "post-ln": ("post-ln", 1.0),
    "parallel": ("parallel", 1.0),
    "all-at-once": ("all-at-once", 1.0),
}
TASK = Addition(digits=1, validation_pairs=20)
TRAINED = TrainConfig(steps=12, batch_size=16, warmup_steps=4, evaluate_every=3)


def weights_digest(name: str) -> str:
    """SHA-256 of every fresh weight of a case, with its name."""
    digest = hashlib.sha256()
    for key, weight in named_weights(build(CASES[name], seed=7)).items():
        digest.update(key.encode() + np.asarray(weight).tobytes())
    return digest.hexdigest()


def layer_output(name: str) -> np.ndarray:
    """A layer with given weights on a given input."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(input_shape(name), dtype="float32")
    layer = LAYERS[name](dtype="float32")
    layer(x)
    layer.set_weights(
        [0.3 * rng.standard_normal(w.shape, dtype="float32") for w in layer.weights]
    )
    return keras.ops.convert_to_numpy(layer(x))


def losses(name: str) -> np.ndarray:
    """The training loss of a case, with every third target ignored."""
    targets = np.roll(some_tokens(CASES[name]), -1, axis=1)
    targets[:, ::3] = IGNORED
    loss = token_cross_entropy(targets, shaken(name)(some_tokens(CASES[name])))
    return keras.ops.convert_to_numpy(loss)


def continued(name: str) -> np.ndarray:
    """Likeliest tokens of a run that is compiled, and of one with other weights."""
    config = replace(CASES[name], context_length=4 * PAYS_FROM[0])
    model, runs = shake(build(config)), []
    for seed in (1, 2):
        runs.append(generate(model, some_tokens(config)[:, :5], steps=2 * PAYS_FROM[0]))
        shake(model, seed)
    return np.stack(runs)


def optimizer_steps(name: str, optimizer=AdamW) -> dict[str, np.ndarray]:
    """Every weight of a case after some steps of an optimizer."""
    case, clip_norm = OPTIMIZED[name]
    config = CASES[case]
    model = build(config, seed=7)
    model.compile(
        optimizer(1e-2, weight_decay=0.1, global_clipnorm=clip_norm),
        token_cross_entropy,
        run_eagerly=True,
    )
    for step in range(STEPS):
        tokens = some_tokens(config, batch=8, seed=step)
        model.train_on_batch(tokens, np.roll(tokens, -1, axis=1))
    return {key: np.asarray(weight) for key, weight in named_weights(model).items()}


def history() -> np.ndarray:
    """Training and validation losses of the first steps of a run."""
    config = CASES["pre-ln"].__class__(
        vocabulary_size=TASK.vocabulary_size,
        context_length=TASK.context_length,
        width=16,
        blocks=CASES["llama"].blocks,
    )
    run = Trainer(config, TASK, TRAINED, jit_compile=False).run(3, progress=False)
    return np.array([[row["loss"], row["validation_loss"]] for row in run.history])


def everything(trains: bool) -> dict[str, np.ndarray]:
    """All of the above under flat names."""
    found: dict[str, np.ndarray] = {}
    for name in CASES:
        found[f"digest {name}"] = np.array(weights_digest(name))
        found[f"logits {name}"] = case_logits(name)
        found[f"loss {name}"] = losses(name)
    for name in LAYERS:
        found[f"layer {name}"] = layer_output(name)
    for name in CONTINUED:
        found[f"continued {name}"] = continued(name)
    if trains:
        for name in OPTIMIZED:
            for key, weight in optimizer_steps(name).items():
                found[f"steps {name} {key}"] = weight
        found["history"] = history()
        for name, (ours, _, shapes) in PAIRS.items():
            for way, values in derivatives(ours, shapes).items():
                for index, value in enumerate(values):
                    found[f"derivative {name} {way} {index}"] = np.asarray(value)
    return found


@cache
def results(backend: str, module: str = __name__) -> dict[str, np.ndarray]:
    """What a module writes on another backend; computed once for all processes."""
    path = Path(os.environ["KIT_TESTS_SHARED"], f"{module}-{backend}.npz")
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the others wait for the first
        if not path.exists():
            _compute(backend, module, path)
    with np.load(path) as found:
        return dict(found)


def _compute(backend: str, module: str, path: Path) -> None:
    part = path.with_suffix(".part.npz")
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    warnings = ["-W", "error", "-W", KERAS_ON_JAX]
    command = [sys.executable, *warnings, "-m", module, part]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    part.rename(path)


if __name__ == "__main__":
    np.savez(sys.argv[1], **everything(trains=keras.backend.backend() != "numpy"))

"""The training loop: what a seed decides, how it stops, how it goes on."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.data import Addition
from kit.errors import KitError
from kit.models import build, named_weights
from kit.training import TrainConfig, Trainer, token_cross_entropy, train, trainer
from kit.training.optimizer import make_optimizer
from tests.contract import save_and_load
from tests.other_backend import ROOT, history, results

pytestmark = pytest.mark.slow

TASK = Addition(digits=1, validation_pairs=20)
BLOCK = BlockConfig(num_heads=2, feed_forward_dim=16, dropout=0.2)
MODEL = ModelConfig.uniform(
    1, BLOCK, width=8, vocabulary_size=14, context_length=TASK.context_length
)
TRAIN = TrainConfig(
    steps=12, batch_size=8, learning_rate=1e-2, warmup_steps=3, evaluate_every=4
)
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}.get(keras.backend.backend())


def make(model=MODEL, task=TASK, config=TRAIN):
    return Trainer(model, task, config, jit_compile=False)


def rows(run):
    """The history without the clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]


def weights(model):
    return {key: np.array(v.value) for key, v in named_weights(model).items()}


def assert_equal_runs(first, second):
    """Equal to the last bit."""
    assert rows(first[0]) == rows(second[0])
    for key, value in first[1].items():
        np.testing.assert_array_equal(value, second[1][key])


@pytest.fixture(scope="module")
def shared():
    return make()


@pytest.fixture(scope="module")
def reference(shared):
    """The run of seed 1, after another seed has used the trainer."""
    shared.run(0, progress=False)
    run = shared.run(1, progress=False)
    return run, weights(run.model)


def test_the_history_has_a_row_for_every_evaluation(reference):
    run, _ = reference
    assert [row["step"] for row in run.history] == [4, 8, 12]
    assert (run.status, run.steps) == ("finished", 12)
    assert run.seconds >= run.training_seconds > 0
    schedule = make_optimizer(TRAIN, build(MODEL))._learning_rate
    for row in run.history:
        assert row["learning_rate"] == pytest.approx(float(schedule(row["step"] - 1)))
        assert {"loss", "validation_loss", "validation_exact_match"} <= set(row)
        assert all(isinstance(value, int | float) for value in row.values())
    assert run.metrics["exact_match"] == run.history[-1]["validation_exact_match"]


def test_the_same_seed_gives_the_same_history_and_another_seed_another(
    shared, reference
):
    again = shared.run(1, progress=False)
    assert_equal_runs(reference, (again, weights(again.model)))
    assert rows(shared.run(2, progress=False)) != rows(reference[0])


def test_a_used_trainer_is_as_good_as_a_fresh_one(reference):
    """With dropout, whose random state must start afresh too."""
    fresh = make()
    run = fresh.run(1, progress=False)
    assert_equal_runs(reference, (run, weights(run.model)))


def test_a_trainer_can_be_warmed_up(shared, reference):
    shared.warm_up()
    run = shared.run(1, progress=False)
    assert_equal_runs(reference, (run, weights(run.model)))


def interrupt(at):
    """Progress that presses Ctrl-C when a share is done."""

    def report(share):
        if share >= at:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("at", [0.2, 0.5, 0.7, 1.0])
def test_a_run_that_was_killed_goes_on_to_the_same_end(shared, reference, at, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        shared.run(1, directory=tmp_path, progress=interrupt(at))
    shared.run(5, progress=False)  # something else in between
    run = shared.run(1, directory=tmp_path, progress=False)
    assert run.status == "finished"
    assert_equal_runs(reference, (run, weights(run.model)))


def test_a_second_kill_and_a_fresh_trainer_change_nothing(reference, tmp_path):
    for at in (0.5, 0.8):
        with pytest.raises(KeyboardInterrupt):
            make().run(1, directory=tmp_path, progress=interrupt(at))
    run = make().run(1, directory=tmp_path, progress=False)
    assert_equal_runs(reference, (run, weights(run.model)))


def test_a_finished_run_is_not_trained_again(shared, reference, tmp_path):
    shared.run(1, directory=tmp_path, progress=False)
    steps = int(shared.model.optimizer.iterations)
    run = shared.run(1, directory=tmp_path, progress=interrupt(0.0))
    assert_equal_runs(reference, (run, weights(run.model)))
    assert int(shared.model.optimizer.iterations) == steps == TRAIN.steps


def test_training_in_pieces_is_training_in_one(shared, reference, monkeypatch):
    monkeypatch.setattr(trainer, "TOKENS_AT_ONCE", 1)
    pieces = shared._pieces(range(4))
    assert len(pieces) == 4 // shared.model.steps_per_execution
    run = shared.run(1, progress=False)
    for new, old in zip(rows(run), rows(reference[0]), strict=True):
        assert new == pytest.approx(old, rel=1e-6)


def test_a_run_is_the_plain_loop_over_the_task_s_batches(reference):
    """Step by step with Keras' `train_on_batch`: the same batches in the same order."""
    model = build(MODEL, seed=1)
    model.compile(make_optimizer(TRAIN, model), token_cross_entropy, run_eagerly=True)
    losses = []
    for step in range(TRAIN.steps):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(*TASK.batch(step, 8, seed=1))))
    for row, mean in zip(
        reference[0].history, np.reshape(losses, (3, 4)).mean(axis=1), strict=True
    ):
        assert row["loss"] == pytest.approx(mean, rel=1e-4)
    for key, value in weights(model).items():
        np.testing.assert_allclose(reference[1][key], value, atol=1e-2 * 1e-2)


@pytest.fixture(scope="module")
def wild():
    """A learning rate at which weights overflow within a few steps."""
    config = replace(TRAIN, learning_rate=1e30, warmup_steps=0, evaluate_every=6)
    return make(config=config)


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(wild, tmp_path):
    run = wild.run(0, directory=tmp_path, progress=False)
    assert run.status == "diverged"
    together = wild.model.steps_per_execution
    assert 1 <= run.steps <= TRAIN.steps
    assert run.steps % together == 0
    again = wild.run(0, directory=tmp_path, progress=interrupt(0.0))
    assert (again.status, again.steps) == ("diverged", run.steps)


def test_a_finite_loss_far_above_guessing_is_diverged_too(shared, monkeypatch):
    monkeypatch.setattr(trainer, "DIVERGED", 0.1)
    run = shared.run(1, progress=False)
    assert (run.status, run.steps) == ("diverged", 4)
    assert len(run.history) == 1


def with_target(shared, monkeypatch, **target):
    monkeypatch.setattr(shared, "config", replace(TRAIN, **target))
    return shared.run(1, progress=False)


@pytest.mark.parametrize(
    "metric, value", [("loss", 100.0), ("exact_match", 0.0), ("perplexity", 1e9)]
)
def test_a_run_stops_at_its_target(shared, monkeypatch, metric, value):
    run = with_target(shared, monkeypatch, target_metric=metric, target_value=value)
    assert (run.status, run.steps, len(run.history)) == ("reached", 4, 1)


def test_a_target_out_of_reach_changes_nothing(shared, reference, monkeypatch):
    run = with_target(
        shared, monkeypatch, target_metric="exact_match", target_value=1.0
    )
    assert rows(run) == rows(reference[0])
    assert run.status == "finished"


def test_an_unknown_target_is_an_error_that_lists_the_metrics(shared, monkeypatch):
    with pytest.raises(KitError, match="unknown target_metric 'exact'.*exact_match"):
        with_target(shared, monkeypatch, target_metric="exact", target_value=1.0)


def test_progress_goes_from_nothing_to_everything(shared):
    seen = []
    shared.run(0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) >= 3


def test_a_bar_is_drawn_on_request(shared, capsys):
    shared.run(0, progress=True)
    assert "12/12" in capsys.readouterr().out


def test_bfloat16_keeps_float32_weights_and_learns(reference):
    run = make(config=replace(TRAIN, precision="bfloat16")).run(1, progress=False)
    assert run.status == "finished"
    assert {v.dtype for v in run.model.trainable_variables} == {"float32"}
    assert run.model.compute_dtype == "bfloat16"
    # The same run up to the rounding of bfloat16 (2^-8).
    for row, exact in zip(run.history, reference[0].history, strict=True):
        assert row["loss"] == pytest.approx(exact["loss"], rel=0.02)
        assert row["loss"] != exact["loss"]


@pytest.mark.parametrize("seed", [-1, -(2**40)])
def test_a_negative_seed_is_an_error(shared, seed):
    with pytest.raises(KitError, match="seed=-"):
        shared.run(seed, progress=False)


def test_model_and_task_must_fit():
    with pytest.raises(KitError, match="vocabulary_size=13"):
        train(replace(MODEL, vocabulary_size=13), TASK, TRAIN, progress=False)
    with pytest.raises(KitError, match='mask="full"'):
        train(replace(MODEL, mask="full"), TASK, TRAIN, progress=False)


LOAD = """
import sys, keras, numpy as np, kit.models
model = keras.saving.load_model(sys.argv[1])
print(type(model.optimizer).__name__, np.asarray(model(np.ones((1, 5), "int32"))).sum())
"""


def test_a_trained_model_loads_in_another_process(shared, tmp_path):
    run = shared.run(1, progress=False)
    loaded = save_and_load(run.model, tmp_path / "model.keras")
    expected = np.asarray(run.model(np.ones((1, 5), "int32"))).sum()
    assert np.asarray(loaded(np.ones((1, 5), "int32"))).sum() == expected
    command = [sys.executable, "-c", LOAD, str(tmp_path / "model.keras")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name, total = done.stdout.split()
    assert name == "AdamW"
    assert float(total) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_fused_attention_trains_with_padding(jit_compile):
    """Inside a compiled step the batch is not known yet."""
    task = replace(TASK, protocol="next_token")
    plain = replace(
        MODEL,
        blocks=(replace(BLOCK, dropout=0.0),),
        mask="full",
        padding_id=13,
        context_length=task.context_length,
    )
    histories = [
        Trainer(model, task, TRAIN, jit_compile=jit_compile).run(1, progress=False)
        for model in (plain, replace(plain, fused_attention=True))
    ]
    for row, expected in zip(*map(rows, histories), strict=True):
        assert row == pytest.approx(expected, rel=1e-3)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="no XLA")
def test_compiled_and_plain_steps_agree(reference):
    model = replace(MODEL, blocks=(replace(BLOCK, dropout=0.0),))
    compiled, plain = (
        Trainer(model, TASK, TRAIN, jit_compile=xla).run(1, progress=False)
        for xla in (True, False)
    )
    for row, expected in zip(rows(compiled), rows(plain), strict=True):
        assert row == pytest.approx(expected, rel=1e-3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX always does")
def test_a_run_that_ends_before_xla_has_started_goes_without():
    for steps, xla in ((trainer.XLA_FROM - 4, False), (trainer.XLA_FROM, True)):
        made = Trainer(MODEL, TASK, replace(TRAIN, steps=steps))
        assert (made.model.jit_compile, made.scorer.jit_compile) == (xla, xla)


@pytest.mark.skipif(OTHER is None, reason="this backend does not train")
def test_histories_agree_across_backends():
    """Weights and data are drawn without the backend, so runs start out the same."""
    np.testing.assert_allclose(results(OTHER)["history"], history(), rtol=1e-4)


def test_an_observer_adds_what_it_sees_to_every_row_and_changes_nothing():
    seen = []

    def observe(model):
        seen.append(model)
        return {"seen": float(len(seen))}

    trainer = make()
    plain = rows(trainer.run(0, progress=False))
    watched = rows(trainer.run(0, progress=False, observe=observe))
    assert [row.pop("seen") for row in watched] == [1.0, 2.0, 3.0]
    assert watched == plain
    assert set(map(id, seen)) == {id(trainer.model)}


def test_a_callback_sees_the_optimizer_at_every_call_of_a_run_and_changes_nothing():
    class Steps(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_train_begin(self, logs=None):
            self.seen.append(int(self.model.optimizer.iterations))

    trainer, steps = make(), Steps()
    watched = rows(trainer.run(0, progress=False, callbacks=[steps]))
    assert steps.seen == [0, 4, 8]
    assert watched == rows(trainer.run(0, progress=False))

"""What is handed in is looked at with suspicion, and every number is computed again."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from kit import defence, examination, submission
from kit.config import ModelConfig
from kit.data import Corpus, TextTask
from kit.defence import losses
from kit.errors import KitError
from kit.grading.exercises import find
from kit.models import build
from kit.studies.capstone.claims import interaction
from kit.studies.statistics import mean_interval
from kit.submission import Saved, opened, read, size_of

CONFIG = ModelConfig.uniform(
    1,
    vocabulary_size=submission.VOCABULARY,
    context_length=submission.CONTEXT,
    width=8,
    initializer_std=0.5,
)
NOTHING = np.zeros(3, "float32")


@pytest.fixture
def text(monkeypatch):
    """Windows drawn here, so that no text has to be read."""
    rng = np.random.default_rng(0)
    judged, held_out, train = (
        rng.integers(512, size=(n, 65)).astype("int32") for n in (6, 5, 8)
    )
    monkeypatch.setattr(defence, "windows", lambda: (None, judged))
    monkeypatch.setattr(defence, "kept_back", lambda: (train, held_out))
    defence._losses.cache_clear()
    yield judged, held_out, train
    defence._losses.cache_clear()


@pytest.fixture(scope="module")
def models():
    return [build(CONFIG, seed=seed) for seed in range(3)]


@pytest.fixture
def folder(models, tmp_path):
    for seed, model in enumerate(models):
        submission.save(model, tmp_path, seed)
    return tmp_path


def test_the_statement_says_what_the_judge_asks():
    text = " ".join(find("defence").statement_markdown().split())
    assert f"**The budget** is {submission.PARAMETERS:,} parameters" in text
    cut = f"as {submission.VOCABULARY} byte pairs, in windows of {submission.CONTEXT}"
    assert cut in text
    assert defence.SEEDS == 3 and "at least three models" in text
    assert f"and at most {submission.MOST_MODELS}" in text
    judged = defence.TEXT["validation_tokens"] // submission.CONTEXT
    stub = find("defence").stub()
    assert f"int32 ({judged}, {submission.CONTEXT + 1})" in stub
    assert f"int32 ({defence.READ}, {submission.CONTEXT + 1})" in stub


def test_learners_compute_the_interaction_as_the_study_does():
    losses = np.random.default_rng(0).normal(4, 0.1, (4, 5))
    names = {"plain": 0, "shared": 1, "pruned": 2, "shared+pruned": 3}
    weights = interaction(("shared", "pruned"))
    kits = mean_interval(sum(w * losses[names[arm]] for arm, w in weights.items()))
    namespace = {}
    exec(find("interaction").reference(), namespace)
    assert namespace["interaction"](*losses) == pytest.approx(kits[:3])


def test_what_was_saved_is_what_is_judged(models, folder, text):
    found = read(folder)
    assert [saved.name for saved in found] == ["seed-0", "seed-1", "seed-2"]
    assert {size_of(saved) for saved in found} == {models[0].count_params()}
    expected = [
        [defence.losses_of(model, part).mean() for part in text] for model in models
    ]
    np.testing.assert_allclose(losses(found), expected, rtol=1e-6)


def test_an_honest_claim_passes_every_examination(folder, text):
    mean, low, high = claim_of(folder)
    for examine in (
        examination.readable,
        examination.causal,
        examination.within_budget,
        examination.enough_seeds,
        examination.recomputed,
        examination.follows_from_seeds,
        examination.held_out_is_new,
    ):
        assert examine(folder, np.array([mean, low, high], "float32")) == ""


def claim_of(folder):
    """Mean and Student's interval of three losses."""
    found = losses(read(folder))[:, 0]
    half = 4.302653 * found.std(ddof=1) / 3**0.5
    return found.mean(), found.mean() - half, found.mean() + half


def test_a_claim_that_is_not_that_of_the_models_is_told(folder, text):
    mean, low, high = claim_of(folder)
    shifted = np.array([mean + 0.01, low + 0.01, high + 0.01])
    assert f"have {mean:.4f}" in examination.recomputed(folder, shifted)
    assert examination.follows_from_seeds(folder, shifted) == ""  # as wide as it is
    narrow = np.array([mean, (mean + low) / 2, (mean + high) / 2])
    assert "with 3 seeds" in examination.follows_from_seeds(folder, narrow)
    assert examination.recomputed(folder, narrow) == ""
    uneven = np.array([mean, low, mean])
    assert examination.follows_from_seeds(folder, uneven)


def test_seeds_are_counted_by_what_differs(models, folder, text):
    submission.save(models[0], folder, 1)
    told = examination.enough_seeds(folder, NOTHING)
    assert "3 models, 2 of them different" in told
    saved = read(folder)[0]
    for copied in (disguised(saved), shaken(saved, 1e-2)):
        (folder / "seed-1.safetensors").write_bytes(copied)
        told = examination.enough_seeds(folder, NOTHING)
        assert "3 models, 2 of them different" in told
    submission.save(models[1], folder, 1)
    assert examination.enough_seeds(folder, NOTHING) == ""
    for name in ("seed-1", "seed-2"):
        for ending in ("json", "safetensors"):
            (folder / f"{name}.{ending}").unlink()
    assert "1 model, 1 of" in examination.enough_seeds(folder, NOTHING)
    assert examination.follows_from_seeds(folder, NOTHING)


def disguised(saved):
    """The same weights in a file of other bytes."""
    data = save(opened(saved)[1], metadata={"seed": "1"})
    assert data != saved.weights
    return data


def shaken(saved, share):
    """The same weights with a little noise, always the same.

    A file of weights is read in another order each time.
    """
    rng = np.random.default_rng(0)
    return save(
        {
            name: array
            + (share * array.std() * rng.normal(size=array.shape)).astype("f")
            for name, array in sorted(opened(saved)[1].items())
        }
    )


def test_what_is_kept_back_was_never_handed_over(monkeypatch):
    letters = np.random.default_rng(0).choice([*"abcdefgh"], 90_000)
    text = TextTask(
        Corpus("letters", ("".join(letters),)),
        context_length=submission.CONTEXT,
        validation_tokens=64 * submission.CONTEXT,
        sampling="epoch",
    )
    monkeypatch.setattr(defence, "task", lambda: text)
    given, kept = defence.windows.__wrapped__(), []
    monkeypatch.setattr(defence, "windows", lambda: given)
    for _ in range(2):
        train, held_out = defence.kept_back.__wrapped__()
        assert len(train) == defence.READ and len(held_out) == 140 - 64
        kept.append({window.tobytes() for window in np.concatenate([train, held_out])})
        assert len(kept[-1]) == len(train) + len(held_out)
        assert not kept[-1] & {w.tobytes() for part in given for w in part}
        whole = set(everything(text._held_out)), set(everything(text._training))
        assert {w.tobytes() for w in held_out} < whole[0]
        assert {w.tobytes() for w in train} < whole[1]
    assert text.validation_tokens == 64 * submission.CONTEXT


def everything(stream):
    """All windows of a part, as bytes."""
    starts = range(0, len(stream) - submission.CONTEXT, submission.CONTEXT)
    return [
        stream[start : start + submission.CONTEXT + 1].tobytes() for start in starts
    ]


def test_what_is_in_a_file_counts_whatever_the_config_says(folder):
    weights = opened(read(folder)[0])[1]
    more = weights | {"hidden": np.zeros(submission.PARAMETERS, "float32")}
    (folder / "seed-0.safetensors").write_bytes(save(more))
    told = examination.within_budget(folder, NOTHING)
    assert "seed-0" in told and "are allowed" in told
    told = examination.readable(folder, NOTHING)
    assert "not those of its config: 'hidden' has the shape (120000,)" in told


def test_models_that_guess_have_nothing_to_defend(folder, monkeypatch):
    guess = np.log(submission.VOCABULARY)
    for loss, told in ((guess + 0.2, True), (guess - 0.05, True), (5.0, False)):
        found = np.full((3, 3), loss)
        monkeypatch.setattr(examination, "losses", lambda models, found=found: found)
        assert ("learnt nothing" in examination.learnt(folder, NOTHING)) == told


def test_text_that_was_learnt_by_heart_is_noticed(folder, monkeypatch):
    for *measured, known in (
        (3.0, 3.1, 5.0, True),  # all of the held-out text
        (4.0, 5.0, 4.1, True),  # what was handed over, and the training text
        (4.9, 5.0, 5.1, False),
        (6.0, 6.0, 5.0, False),
    ):
        found = np.array([measured] * 3)
        monkeypatch.setattr(examination, "losses", lambda models, found=found: found)
        told = examination.held_out_is_new(folder, NOTHING)
        assert ("they know the text" in told) == known


def broken(saved, case):
    """The files of a model after something was done to them."""
    config = json.loads(saved.config)
    weights = opened(saved)[1]
    first = next(iter(weights))
    changed = {
        "no JSON": (b"{", saved.weights),
        "deep JSON": (b"[" * 100_000, saved.weights),
        "a list": (b"[1]", saved.weights),
        "an unknown field": (config | {"code": "import os"}, saved.weights),
        "another vocabulary": (config | {"vocabulary_size": 9}, saved.weights),
        "thousands of blocks": (
            config | {"blocks": config["blocks"] * 5000},
            saved.weights,
        ),
        "a huge width": (config | {"width": 2**40}, saved.weights),
        "weights that end early": (saved.config, saved.weights[:-4]),
        "a huge header": (saved.config, b"\xff" * 8 + saved.weights[8:]),
        "a pickle": (saved.config, b"\x80\x04cos\nsystem\n."),
        "a weight too few": (
            saved.config,
            save({k: w for k, w in weights.items() if k != first}),
        ),
        "another shape": (saved.config, save(weights | {first: weights[first][1:]})),
        "not a number": (
            saved.config,
            save(weights | {first: weights[first] * np.nan}),
        ),
        "too large for float32": (
            saved.config,
            save({k: np.full(w.shape, 1e300) for k, w in weights.items()}),
        ),
        "too large to compute with": (
            saved.config,
            save({k: np.full(w.shape, 1e38, "float32") for k, w in weights.items()}),
        ),
        "whole numbers": (
            saved.config,
            save(weights | {first: np.ones(weights[first].shape, "int32")}),
        ),
    }[case]
    text, data = changed
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return Saved(saved.name, text, data)


@pytest.mark.parametrize(
    "case",
    [
        *("no JSON", "deep JSON", "a list", "an unknown field", "another vocabulary"),
        *("thousands of blocks", "a huge width", "weights that end early"),
        *("a huge header", "a pickle", "a weight too few", "another shape"),
        *("not a number", "too large for float32", "too large to compute with"),
        "whole numbers",
    ],
)
def test_what_cannot_be_judged_is_a_fault_and_no_crash(case, folder, text):
    bad = broken(read(folder)[1], case)
    (folder / "seed-1.json").write_bytes(bad.config)
    (folder / "seed-1.safetensors").write_bytes(bad.weights)
    told = examination.readable(folder, NOTHING)
    assert "seed-1" in told and len(told) < 500


def test_more_models_than_anybody_has_seeds_are_not_read(folder):
    saved = read(folder)[0]
    for seed in range(3, submission.MOST_MODELS + 1):
        (folder / f"seed-{seed}.json").write_bytes(saved.config)
        (folder / f"seed-{seed}.safetensors").write_bytes(saved.weights)
    assert "21 models were handed in" in examination.readable(folder, NOTHING)


def test_what_keras_cannot_build_is_a_fault_of_the_config(folder, text, monkeypatch):
    def refuse(*_, **__):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("kit.models.build", refuse)
    told = examination.readable(folder, NOTHING)
    assert "cannot be built from seed-0.json: by zero" in told


def test_weights_without_config_and_config_without_weights_are_told(folder):
    (folder / "seed-1.safetensors").unlink()
    told = examination.enough_seeds(folder, NOTHING)
    assert "seed-1.safetensors is missing" in told


def test_half_a_model_and_a_file_too_large_are_told(folder):
    (folder / "seed-2.json").unlink()
    assert "seed-2.json is missing" in examination.readable(folder, NOTHING)
    (folder / "seed-0.safetensors").write_bytes(bytes(submission.LARGEST_FILE + 1))
    assert "more than 1,048,576" in examination.readable(folder, NOTHING)
    with pytest.raises(KitError, match="no model"):
        read(defence.new_folder())


def test_a_model_that_sees_what_comes_is_told(folder):
    path = folder / "seed-0.json"
    config = json.loads(path.read_text()) | {"mask": "full"}
    path.write_text(json.dumps(config))
    assert "mask='full'" in examination.causal(folder, NOTHING)

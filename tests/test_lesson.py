"""What the notebooks lean on."""

import logging
import subprocess
import sys

import matplotlib
import pytest

from kit import lesson, plots
from kit.config import ModelConfig
from kit.errors import KitError
from kit.pictures import INK
from kit.studies import committed, load
from kit.studies.results import Results, Row
from kit.studies.verdicts import judge
from kit.training import Run

BASE = ModelConfig.uniform(2, width=16, vocabulary_size=14, context_length=12)


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.delenv("KIT_BUDGET", raising=False)
    logger = logging.getLogger("tensorflow")
    filters = list(logger.filters)
    with matplotlib.rc_context():
        yield
    logger.filters[:] = filters


@pytest.mark.parametrize("asked, budget", [("", "quick"), ("smoke", "smoke")])
def test_the_budget_comes_from_the_environment(settings, monkeypatch, asked, budget):
    monkeypatch.setenv("KIT_BUDGET", asked)
    assert lesson.prepare() == budget


def test_an_unknown_budget_is_one_line(settings, monkeypatch):
    monkeypatch.setenv("KIT_BUDGET", "quik")
    with pytest.raises(KitError, match="Did you mean 'quick'"):
        lesson.prepare()


def test_figures_look_like_the_kits(settings):
    lesson.prepare()
    assert matplotlib.rcParams["text.color"] == INK["light"][0]
    assert not matplotlib.rcParams["axes.spines.top"]


def test_only_the_false_alarm_of_tensorflow_is_silenced(settings, caplog):
    lesson.prepare()
    logger = logging.getLogger("tensorflow")
    logger.warning("5 out of the last %d calls triggered tf.function retracing.", 8)
    logger.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]


class Model:
    def __init__(self, config):
        self.config = config


def run(config, *accuracies):
    history = [
        {"step": 10 * i, "loss": 1.0, "validation_exact_match": value}
        for i, value in enumerate(accuracies, 1)
    ]
    return Run(Model(config), history, steps=10 * len(history))


def test_own_runs_become_rows_with_the_labels_of_their_edits():
    edited = BASE.with_blocks({1: {"attention_skip": 0.0}})
    runs = {"base": run(BASE, 0.5, 1.0), "cut": run(edited, 0.1)}
    results = lesson.own_results(runs, BASE)
    assert results.arms == {"base": "base", "cut": "block 1: attention_skip 1 → 0"}
    assert results.values("base", "exact_match") == {0: 1.0}
    steps, values = plots.curves(results.of("base"), "validation_exact_match")
    assert steps.tolist() == [10, 20] and values.tolist() == [[0.5, 1.0]]


def test_pictures_stand_side_by_side_and_carry_their_data():
    picture = plots.heatmap([[1.0]])
    page = lesson.side_by_side({"yours <1>": picture, "ours": picture}).data
    assert page.count("data:image/png;base64,") == 2
    assert "yours &lt;1&gt;" in page and 'src="http' not in page


def stored(arm, seed, exact_match):
    return Row(
        key=f"{arm}{seed}",
        study="symmetry",
        budget="full",
        arm=arm,
        label=arm,
        seed=seed,
        status="finished",
        spec={"task": {"validation_pairs": 1000}},
        metrics={"exact_match": exact_match},
    )


def test_runs_of_several_seeds_are_rows_of_one_arm():
    own = lesson.own_results({"mine": [run(BASE, 0.25), run(BASE, 0.75)]}, BASE)
    assert own.values("mine", "exact_match") == {0: 0.25, 1: 0.75}
    assert len({row.key for row in own.rows}) == 2


def test_a_table_puts_stored_seeds_beside_the_own_run():
    own = lesson.own_results({"mine": run(BASE, 0.25), "new": run(BASE, 1.0)}, BASE)
    kept = Results([stored("B-none", seed, 0.5) for seed in range(3)])
    same = {"mine": "B-none", "new": None}
    table = lesson.side_by_side_table(own, kept, same, "exact_match", ".0%")
    known, unknown = table.data.splitlines()[2:]
    assert known == "| mine | 25% | 50% | 3 |"
    assert unknown.startswith("| new | 100% | ") and unknown.endswith(" | 0 |")


def test_every_claim_gets_its_verdict_and_its_sentence():
    study = load("symmetry")
    results = committed("symmetry")
    lines = lesson.verdict_table(study, results).data.splitlines()[2:]
    verdicts = judge(study.claims, results)
    assert len(lines) == len(study.claims)
    for line, verdict in zip(lines, verdicts, strict=True):
        assert line.count("|") == 4, "a cell would be torn apart"
        assert verdict.claim in line and verdict.sentence in line
        assert verdict.verdict in line.replace("&nbsp;", " ")


def test_importing_it_does_not_wake_tensorflow_before_it_is_quiet():
    code = "import sys, kit.lesson; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_scoreboard_counts_what_was_checked(capsys):
    from kit.grading.exercises import exercises, find
    from kit.grading.judge import judge

    mask = find("causal_mask")
    lesson.scoreboard("symmetry", {"causal_mask": judge(mask, mask.reference())})
    lines = capsys.readouterr().out.splitlines()
    points = sum(exercise.points for exercise in exercises("symmetry"))
    assert lines[0].split()[-3:] == ["1", "of", "1"]
    assert lines[-1].split() == ["together", "1", "of", str(points)]

"""All notebooks run from top to bottom, offline, at the smallest budget."""

import os
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from kit.grading.exercises import exercises, find
from kit.paths import shipped
from kit.pretrained import card
from kit.probes.ceilings import bayes_ceilings
from kit.studies import committed, load

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in shipped("notebooks").glob("*.ipynb"))
# An arm of the stored study, and what the notebook calls it.
BASES = {
    "01_simplify": ("Pre-LN", "A-pre-ln"),
    "02_symmetry": ("positions", "A-learned"),
    "03_sharpness": ("AdamW", "llama-adamw"),
    "04_sharing": ("shared: text alone", "text-40-continual"),
    "05_pruning": ("2SSP", "llama-2ssp"),
    "06_capstone": ("plain", "plain"),
}
PICTURES = {
    "01_simplify": 6,
    "02_symmetry": 7,
    "03_sharpness": 4,
    "04_sharing": 8,
    "05_pruning": 6,
    "06_capstone": 3,
}
# Runs of training.
BARS = {
    "01_simplify": 5,
    "02_symmetry": 5,
    "03_sharpness": 9,
    "04_sharing": 3,
    "05_pruning": 1,
    "06_capstone": 9,
}
# What the answer of the capstone does where no notebook has saved its models.
ONLY_COUNTS = "losses = made(folder, train, held_out)"

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

# Loaded by every Python process of the notebook: connections end in an error.
NO_NETWORK = """
import sys

def refuse(event, _):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError("there is no network in this test")

sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    """A notebook's name, such as 02_symmetry."""
    return request.param


@pytest.fixture
def own(name):
    """The exercises of a notebook's paper, and their points."""
    found = exercises(name[3:])
    return found, sum(exercise.points for exercise in found)


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """Run a notebook in a kernel without network; returns its cells by id."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://[::1]:9"),
        "IPYTHONDIR": str(folder / "ipython"),
        "KIT_BUDGET": "smoke",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    for name in ("MPLBACKEND", "TF_CPP_MIN_LOG_LEVEL"):  # a learner has none of these
        environment.pop(name, None)

    def run(notebook):
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=environment)
        return {cell.id: cell for cell in notebook.cells}

    return run


def read(folder, name):
    return nbformat.read(shipped(folder) / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def learner(execute, name):
    return execute(read("notebooks", name))


@pytest.fixture(scope="module")
def solved(execute, name):
    notebook = read("solutions", name)
    for cell in notebook.cells:
        if cell.id == "defence-answer":  # only its own models may earn points
            assert cell.source.count(ONLY_COUNTS) == 1
            cell.source = cell.source.replace(ONLY_COUNTS, "raise FileNotFoundError")
    return execute(notebook)


def only(wanted):
    """Run a test for one notebook."""
    return pytest.mark.parametrize("name", [wanted], indirect=True, scope="module")


def outputs(cells):
    return [output for cell in cells.values() for output in cell.get("outputs", [])]


def printed(cell):
    return "".join(o.text for o in cell.outputs if o.output_type == "stream")


def everything_printed(cells):
    return "".join(printed(cell) for cell in cells.values() if "outputs" in cell)


def test_nobody_is_warned_or_interrupted(learner, solved):
    for cells in (learner, solved):
        shown = outputs(cells)
        assert {output.output_type for output in shown} <= {
            "stream",
            "display_data",
            "execute_result",
        }
        assert [o.text for o in shown if o.get("name") == "stderr"] == []
        text = everything_printed(cells)
        assert not re.search("warning|traceback|nan", text, re.I)


def test_stubs_are_not_done_yet_and_stop_nothing(learner, own):
    found, points = own
    for exercise in found:
        assert "not done yet" in printed(learner[f"{exercise.id}-check"])
    assert re.search(rf"together +0 of {points}$", everything_printed(learner).strip())


def test_the_solved_notebook_gets_all_points(solved, own):
    found, points = own
    for exercise in found:
        text = printed(solved[f"{exercise.id}-check"])
        assert f"({exercise.points} of {exercise.points} points)" in text
        assert "FAIL" not in text
    text = everything_printed(solved).strip()
    assert re.search(rf"together +{points} of {points}$", text)


@only("02_symmetry")
def test_what_is_the_learners_own_is_shown_as_such(learner, solved):
    mine, theirs = everything_printed(solved), everything_printed(learner)
    for own in ("your test", "your sequences", "Your enumeration", "your loss"):
        assert own in mine and own not in theirs
    # Done or not, the same sums are shown.
    sums = re.findall(r"^  \d{3}\+\d{3}=\d+ .*$", mine, re.M)
    assert len(sums) == 3
    assert sums == re.findall(r"^  \d{3}\+\d{3}=\d+ .*$", theirs, re.M)


@only("02_symmetry")
def test_blindness_is_found_where_the_theorem_says(learner):
    text = everything_printed(learner)
    assert "one causal block notices: you predicted nothing, measured no" in text
    assert "two without skips: you predicted nothing, measured yes" in text
    change = float(re.search(r"^one block +(\S+e\S+)$", text, re.M)[1])
    assert change < 1e-5


@only("02_symmetry")
def test_the_ceiling_is_the_enumerated_one(solved):
    ceilings = bayes_ceilings(digits=3, reverse=True)
    shown = [o.data.get("text/markdown", "") for o in outputs(solved) if "data" in o]
    (sentence,) = [text for text in shown if "bags" in text]
    assert f"**{ceilings.exact_match:.2%}**" in sentence
    assert f"**{ceilings.cross_entropy:.3f} nats**" in sentence


@only("01_simplify")
def test_a_missing_skip_collapses_and_a_shaped_map_does_not_need_it(learner):
    text = everything_printed(learner)
    cosines = re.search(r"^naive, the kit's measure: (.+)$", text, re.M)[1].split()
    assert len(cosines) == 6 and float(cosines[-1]) > 0.95
    assert "SAS and SAS-P start equal: you predicted nothing, measured yes" in text


@only("01_simplify")
def test_the_published_sizes_are_counted(learner, solved):
    for cells in (learner, solved):
        for size in ("166.6 million", "145.9 million"):
            assert size in everything_printed(cells)


@only("05_pruning")
def test_a_cut_model_says_what_a_masked_one_does(learner, solved):
    for cells in (learner, solved):
        text = everything_printed(cells)
        masked, cut = re.search(r"^masked (\S+), cut (\S+): ", text, re.M).groups()
        assert masked == cut


@only("05_pruning")
def test_what_learners_wrote_agrees_with_the_kit(learner, solved):
    mine, theirs = everything_printed(solved), everything_printed(learner)
    assert "your surgery on block 0 and the kit's agree: yes" in mine
    assert "after 60 steps 24 of 32 neurons are" in mine
    own, kits = re.search(
        r"by your function (\S+), by the kit's (\S+)$", mine, re.M
    ).groups()
    assert own == kits
    for own in ("scored by your function", "searched by your function"):
        assert own in mine and own not in theirs
    # Done or not, the same numbers are shown.
    for line in (r"^half of .*\n( .*\n)+", r"^gone, in this order: .*$"):
        assert re.search(line, mine, re.M)[0] == re.search(line, theirs, re.M)[0]


@only("05_pruning")
def test_the_checkpoint_is_judged_by_what_it_has_not_seen(learner):
    text = everything_printed(learner)
    assert "\ntext-8: 8 blocks, 1,724,672 parameters\n" in text
    before, after = re.findall(r"^held-out perplexity \w+: (\S+)$", text, re.M)
    assert float(before) == pytest.approx(
        card("text-8")["held_out"]["perplexity"], abs=0.1
    )
    assert float(before) < float(after) < 1024


@only("04_sharing")
def test_what_learners_wrote_about_sharing_agrees_with_the_kit(learner, solved):
    mine, theirs = everything_printed(solved), everything_printed(learner)
    assert "your group of three layers and the kit's agree: yes" in mine
    for own in ("compared by your", "chosen by your", "losses by your"):
        assert own in mine and own not in theirs
    # Done or not, the same numbers are shown.
    for line in (
        r"^neighbours, by chance: .*(measured .*)$",
        r"^(copy-only loss .*)$",
        r"^( 9 of 22 layers copy: .*\n.*)$",
        r"^  (soft .*)$",
    ):
        assert re.search(line, mine, re.M)[1] == re.search(line, theirs, re.M)[1]
    assert "parameters less: you predicted 20 %, measured 3.9%" in mine
    assert "without xnli_en     -0.74" in theirs


@only("06_capstone")
def test_the_models_that_were_trained_are_those_that_are_defended(learner, solved):
    text = everything_printed(solved)
    found = re.search(r"^held-out losses: (.+)$", text, re.M)[1].split()
    mean = re.search(r"^measured above: (\S+)$", text, re.M)[1]
    assert float(mean) == pytest.approx(np.mean([*map(float, found)]), abs=2e-3)
    assert f"claimed: {mean}, from " in text
    assert "claimed: " not in everything_printed(learner)


def test_there_are_bars_and_pictures(learner, name):
    shown = [output.data for output in outputs(learner) if "data" in output]
    bars = [data for data in shown if "<progress" in data.get("text/html", "")]
    assert len(bars) == BARS[name]
    assert all("steps" in data["text/plain"] for data in bars)
    assert sum("image/png" in data for data in shown) >= PICTURES[name]


def test_stored_results_stand_beside_the_own(solved, name):
    slug, (called, arm) = name[3:], BASES[name]
    kept = committed(slug)
    if not len(kept):
        pytest.skip("this copy of the kit holds no stored results")
    shown = [o.data.get("text/markdown", "") for o in outputs(solved) if "data" in o]
    (table,) = [text for text in shown if "| yours |" in text]
    seeds = len(kept.of(arm))
    assert re.search(rf"^\| {called} \| .+ \| .+ .*\| {seeds} \|$", table, re.M)
    (verdicts,) = [text for text in shown if "| verdict |" in text]
    for claim in load(slug).claims:
        assert f"| **{claim.id}** " in verdicts


def test_a_wrong_answer_is_named_and_not_drawn(execute):
    notebook = read("notebooks", "02_symmetry")
    wrong = next(w for w in find("causal_mask").wrong if w.name == "one step ahead")
    cells = {cell.id: cell for cell in notebook.cells}
    cells["causal_mask-answer"].source = wrong.code
    cells["attention-answer"].source = find("attention").reference()
    end = next(i for i, cell in enumerate(notebook.cells) if cell.id == "heads-answer")
    notebook.cells = notebook.cells[:end]
    executed = execute(notebook)
    told = " ".join(printed(executed["causal_mask-check"]).split())
    assert "Position i sees i + 1" in told
    assert "(2 of 2 points)" in printed(executed["attention-check"])
    assert sum("image/png" in o.get("data", {}) for o in outputs(executed)) == 1

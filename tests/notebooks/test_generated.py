"""Notebooks are what their sources say, and give nothing away."""

import json
import re

import nbformat
import pytest

from kit.errors import KitError
from kit.grading import notebooks
from kit.grading.exercises import exercises, find
from kit.grading.leaks import leaks
from kit.grading.notebooks import generate, notebook
from kit.paths import shipped
from kit.studies.results import Results

LEARNERS, TEACHERS = shipped("notebooks"), shipped("solutions")
PATHS = sorted(LEARNERS.glob("*.ipynb"))


def cells(text):
    return {cell["id"]: cell for cell in json.loads(text)["cells"]}


def source(cell):
    return "".join(cell["source"])


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    """A notebook for learners."""
    return request.param


@pytest.fixture
def pair(path):
    """A notebook for learners, and the one with the answers."""
    return path.read_text("utf-8"), (TEACHERS / path.name).read_text("utf-8")


@pytest.fixture
def own(path):
    """The exercises of a notebook's paper."""
    return exercises(path.stem[3:])


@pytest.mark.slow
def test_regenerating_changes_nothing(tmp_path):
    learners, teachers = tmp_path / "notebooks", tmp_path / "solutions"
    texts = generate(learners, teachers)
    for folder, home in ((learners, LEARNERS), (teachers, TEACHERS)):
        fresh = {
            path.name: text for path, text in texts.items() if path.parent == folder
        }
        there = {path.name: path.read_text("utf-8") for path in home.glob("*.ipynb")}
        assert fresh == there, "run python -m kit.grading.notebooks"
    assert texts


def test_nothing_of_a_machine_or_a_run_is_in_a_notebook(pair):
    for text in pair:
        data = json.loads(text)
        nbformat.validate(data)
        assert data["metadata"]["language_info"] == {"name": "python"}
        names = [cell["id"] for cell in data["cells"]]
        assert len(names) == len(set(names))
        for cell in data["cells"]:
            assert cell["metadata"] == {}
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [] and cell["execution_count"] is None


def test_every_exercise_is_there_with_its_hints_and_its_check(pair, own):
    learner, solved = map(cells, pair)
    prose = "\n".join(source(c) for c in learner.values() if c["cell_type"] != "code")
    for exercise in own:
        assert exercise.title in prose
        for level in (1, 2, 3):
            assert exercise.hint(level) in prose
        assert source(learner[f"{exercise.id}-answer"]) == exercise.stub().strip()
        assert source(solved[f"{exercise.id}-answer"]) == exercise.reference().strip()
        assert f'"{exercise.id}", globals()' in source(learner[f"{exercise.id}-check"])
    assert prose.count("<details>") == 3 * len(own)


def test_prerequisites_come_before_what_needs_them(pair, own):
    order = [name for name in cells(pair[0]) if name.endswith("-answer")]
    names = {exercise.id for exercise in own}  # those of other papers are done before
    for exercise in own:
        mine = order.index(f"{exercise.id}-answer")
        needed = names & set(exercise.prerequisites)
        assert all(order.index(f"{name}-answer") < mine for name in needed)


def test_the_two_notebooks_differ_in_answers_and_predictions_only(pair):
    learner, solved = (json.loads(text)["cells"] for text in pair)
    assert len(learner) == len(solved)
    for mine, answered in zip(learner, solved, strict=True):
        if mine["source"] != answered["source"]:
            if "**How it works.**" in source(mine):
                assert source(answered).startswith("**These are the answers.**")
                continue
            pattern = r" = (?!None).+?(  #.*)?$"
            emptied = re.sub(pattern, r" = None\1", source(answered), flags=re.M)
            is_prediction = emptied == source(mine)
            assert is_prediction or mine["id"].endswith("-answer")


def test_learners_get_no_piece_of_an_answer(pair, own):
    assert [leaks(exercise, pair[0]) for exercise in exercises()] == [[]] * len(
        exercises()
    )
    assert all(leaks(exercise, pair[1]) for exercise in own)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Generate from a source written here; returns what is in the two folders."""

    def run(text):
        path = tmp_path / "01_paper.py"
        path.write_text(text, "utf-8")
        monkeypatch.setattr(notebooks, "sources", lambda: [path])
        return generate(tmp_path / "notebooks", tmp_path / "solutions")

    return run


def test_an_answer_in_the_prose_is_refused_and_nothing_is_written(write, tmp_path):
    line = find("attention").reference().splitlines()[-1].strip()
    with pytest.raises(KitError, match="gives away"):
        write(f"# %% [markdown]\n# Just write `{line}`.\n")
    assert not (tmp_path / "notebooks").exists()


@pytest.mark.parametrize("trace", [{"execution_count": 3}, {"outputs": [{}]}])
def test_a_notebook_that_was_worked_in_is_kept(write, tmp_path, trace):
    write("# %%\nx = 1\n")
    path = tmp_path / "notebooks/01_paper.ipynb"
    data = json.loads(path.read_text("utf-8"))
    data["cells"][0] |= trace
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(KitError, match="worked in"):
        write("# %%\nx = 2\n")
    assert json.loads(path.read_text("utf-8")) == data


def test_a_file_that_is_no_notebook_is_kept(write, tmp_path):
    path = tmp_path / "notebooks/01_paper.ipynb"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(KitError, match="worked in"):
        write("# %%\nx = 1\n")
    assert path.read_text() == "mine"


def test_learners_predict_for_themselves():
    text = '# %% tags=["prediction"]\nshare = "50 %"  # of all sums\ncount = 3\n'
    assert source(json.loads(notebook(text, solved=False))["cells"][0]) == (
        "share = None  # of all sums\ncount = None"
    )
    assert '\\"50 %\\"' in notebook(text, solved=True)


def test_a_cell_can_be_for_one_kind_of_reader():
    text = "".join(
        f'# %% [markdown] tags=["{who}"]\n# For {who}.\n\n'
        for who in ("learners", "solved")
    )
    said = {
        solved: [source(cell) for cell in cells(notebook(text, solved=solved)).values()]
        for solved in (False, True)
    }
    assert said == {False: ["For learners."], True: ["For solved."]}


def test_a_change_of_one_cell_leaves_the_names_of_the_others():
    before = cells(notebook("# %%\nx = 1\n\n# %%\ny = 1\n", solved=True))
    after = cells(notebook("# %%\nx = 2\n\n# %%\ny = 1\n", solved=True))
    assert len(set(before) & set(after)) == 1


def test_mistakes_in_a_source_are_one_line():
    with pytest.raises(KitError, match="causal_mask"):
        notebook('# %% exercise="causal_mast"\n', solved=False)
    with pytest.raises(KitError, match="two cells"):
        notebook("# %%\nx = 1\n\n# %%\nx = 1\n", solved=False)


def test_without_stored_results_one_sentence_says_so(capsys):
    text = (LEARNERS / "02_symmetry.ipynb").read_text("utf-8")
    codes = [source(c) for c in cells(text).values() if c["cell_type"] == "code"]
    start = next(i for i, code in enumerate(codes) if code.startswith("kept = "))
    namespace = {"committed": lambda slug: Results([])}
    for code in codes[start : start + 2]:
        exec(code, namespace)
    told = capsys.readouterr().out
    assert "no stored results" in told and "kit reproduce symmetry" in told

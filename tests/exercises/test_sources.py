"""The sources in solutions/ are complete, and what they print can be read."""

import ast
import re

import pytest

from kit.errors import KitError
from kit.grading.boundary import Outcome
from kit.grading.cases import EXAMPLE
from kit.grading.exercises import HINTS, exercises, find, parse
from kit.grading.launch import launch
from kit.grading.submission import Submission
from kit.probes.ceilings import bayes_ceilings

EXERCISES = exercises()


def ids(exercise):
    return exercise.id


PAPERS = {
    "symmetry": [
        "causal_mask",
        "attention",
        "heads",
        "token_loss",
        "addition_batch",
        "permutation_test",
        "ceiling",
        "ablation",
        "test_attention",
    ],
    "simplify": [
        "shaped_map",
        "prefix_mean",
        "identity_values",
        "sas",
        "sas_p",
        "parameters",
        "rank_collapse",
        "weight_duality",
        "test_shaped",
    ],
    "sharing": [
        "map_similarity",
        "null_model",
        "largest_gap",
        "shared_block",
        "three_losses",
        "savings",
        "which_way_round",
        "test_sharing",
    ],
    "sharpness": [
        "variable_groups",
        "fisher_estimate",
        "hutchinson",
        "power_iteration",
        "recorder",
        "gradient_scale",
        "blockwise_step",
        "block_warmup",
        "test_blockwise",
    ],
    "pruning": [
        "perplexity",
        "neuron_score",
        "dense_pair",
        "allocation",
        "greedy_removal",
        "prune_schedule",
        "mask_callback",
        "test_pruning",
    ],
    "capstone": [
        "interaction",
        "defence",
    ],
}


@pytest.mark.parametrize("slug", PAPERS)
def test_a_paper_has_its_exercises(slug):
    assert [exercise.id for exercise in exercises(slug)] == PAPERS[slug]


def test_all_papers_come_in_the_order_of_their_prerequisites():
    assert [exercise.id for exercise in EXERCISES] == sum(PAPERS.values(), [])


def test_the_numbers_of_the_ceiling_are_those_of_the_enumeration():
    """Typed in a statement, because the answer must not be computed in front of it."""
    share, bags = re.search(
        r"With three\s+digits in base ten it is (\S+) % and (\d+) bags",
        find("ceiling").statement_markdown(),
    ).groups()
    best = bayes_ceilings(digits=3)
    assert (share, int(bags)) == (f"{100 * best.exact_match:.2f}", best.num_multisets)
    one = bayes_ceilings(digits=1)
    said = f"`ceiling(1, 10)` is `({one.exact_match}, {one.num_multisets})`"
    assert said in " ".join(find("ceiling").statement_markdown().split())


def test_ids_are_unique_and_prerequisites_come_first():
    done = []
    for exercise in EXERCISES:
        assert exercise.id not in done
        assert set(exercise.prerequisites) <= set(done)
        done.append(exercise.id)


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_front_matter_is_sensible(exercise):
    together = "all five papers" if exercise.slug == "capstone" else None
    assert exercise.paper == together or re.fullmatch(r"\d{4}\.\d{5}", exercise.paper)
    assert exercise.section and exercise.concepts
    assert 1 <= exercise.difficulty <= 5
    assert 5 <= exercise.minutes <= 60 and exercise.points >= 1
    assert len(exercise.title) <= 30, "kit list fits into 80 columns"


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_hints_go_from_a_question_to_the_shape_of_the_line(exercise):
    hints = [exercise.hint(level + 1) for level in range(HINTS)]
    assert hints[0].rstrip().endswith("?") or "? " in hints[0]
    assert "`" in hints[1], "hint 2 names the tool"
    assert len(set(hints)) == HINTS
    for hint in hints:
        assert not re.search(r"\breturn\b|\bdef |\w = ", hint), "no code"


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_wrong_answers_have_names_and_messages(exercise):
    names = [answer.name for answer in exercise.wrong]
    messages = [answer.message for answer in exercise.wrong]
    assert len(set(names)) == len(names)
    assert len(set(messages)) == len(messages)
    assert all(len(message.split()) >= 8 for message in messages)


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_each_function_of_the_stub_says_shapes_and_is_not_done_yet(exercise):
    for name, node in exercise.functions.items():
        text = ast.get_docstring(node)
        assert "Args:" in text and "Returns:" in text, name
        last = ast.unparse(node.body[-1])
        assert last == f"raise NotImplementedError('{name} is not done yet')"
        assert len(node.body) == 2, "nothing else in the stub"


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_the_example_runs_once_the_stub_is_filled_in(exercise):
    def run(code):
        with launch(Submission((f"{code}\n{exercise.example()}",))) as child:
            return child.loaded

    assert run(exercise.reference()).outcome is Outcome.ANSWERED
    assert "is not done yet" in run(exercise.stub()).text
    assert EXAMPLE in {check.id for check in exercise.checks}


def test_an_unknown_exercise_is_told_with_the_nearest():
    with pytest.raises(KitError, match="'attention'"):
        find("atention")


SOURCE = '''\
# /// exercise
# id = "double"
# title = "Double"
# paper = "2402.05969"
# section = "1"
# concepts = ["two"]
# prerequisites = []
# difficulty = 1
# minutes = 5
# points = 1
# ///

# %% statement [markdown]
# Double it.

# %% stub
def double(x):
    """Twice x."""
    raise NotImplementedError("double is not done yet")


# %% example
assert double(2) == 4


# %% reference
def double(x):
    return 2 * x


# %% hint 1 [markdown]
# What?

# %% hint 2 [markdown]
# `*`

# %% hint 3 [markdown]
# A product.

# %% right answer="sum"
def double(x):
    return x + x


{wrong}
# %% checks
from kit.grading.cases import call, check, floats


@check
def example(rng):
    yield call(2.0, returns=floats())


@check
def values(rng):
    yield call(rng.normal(), returns=floats())
'''
WRONG = """\
# %% wrong answer="{0}" caught_by="values"
# Not doubled at all.
def double(x):
    return x + {0}


"""


def source(**changes):
    text = SOURCE.replace("{wrong}", "".join(WRONG.format(n) for n in range(5)))
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


def test_a_complete_source_parses(tmp_path):
    path = tmp_path / "01_double.py"
    path.write_text(source())
    exercise = parse(path)
    assert exercise.function == "double" and len(exercise.wrong) == 5
    assert exercise.reference() == (
        'def double(x):\n    """Twice x."""\n    return 2 * x\n'
    )


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("# /// exercise", "# nothing", "no front matter"),
        ('title = "Double"', "title = 3", "needs title"),
        ('title = "Double"', "title = ", "not TOML"),
        ("# points = 1\n", "", "needs points"),
        ("# points = 1\n", "# points = 1\n# pionts = 1\n", "'points'"),
        ('id = "double"', 'id = "triple"', "unlike its name"),
        ("# %% hint 2 [markdown]", "", "hint 2"),
        ("# %% stub", "# %% stubb", "stub"),
        ('# %% right answer="sum"', '# %% left answer="sum"', "0 right"),
        ('# %% wrong answer="3"', '# %% rong answer="3"', "4 wrong"),
        ("def example(rng)", "def first(rng)", "named example"),
        ('caught_by="values"', 'caught_by="value"', "'values'"),
        ("@check\ndef example", "@check(hidden=True)\ndef example", "after hidden"),
    ],
)
def test_an_incomplete_source_says_what_is_missing(tmp_path, old, new, said):
    path = tmp_path / "01_double.py"
    path.write_text(source(change=(old, new)))
    with pytest.raises(KitError, match=said):
        parse(path)

import re

import pytest

from kit.studies import STUDIES, load
from kit.studies.cost import plan
from kit.studies.study import Arm


@pytest.mark.slow
@pytest.mark.parametrize("slug", STUDIES)
def test_a_card_says_what_the_study_would_run(slug):
    study = load(slug)
    (said,) = re.findall(r"full: (.*?) cores", study.card())
    runs = int(re.search(r"so (\d+) run", said)[1])
    minutes = int(re.search(r"about (\d+) on 2$", said)[1])
    assert runs == len(study.cells("full"))
    assert minutes == round(study.seconds("full", workers=2) / 60)


def test_one_run_takes_as_long_on_two_cores():
    words = plan(lambda budget: [Arm("a", "", {}, 540, None, 60)], {"quick": 1})
    assert "about 10 on 2 cores" in words


def test_arms_are_counted_by_their_seeds():
    arms = [Arm("a", "", {}, 60, seeds=5), Arm("b", "", {}, 60), Arm("c", "", {}, 60)]
    words = plan(lambda budget: arms, {"smoke": 1, "full": 3})
    assert words.startswith("full: 1 arm with 5 seeds and 2 arms with 3 seeds, so 11 ")


def test_only_runs_with_a_target_are_said_to_end_sooner():
    for arm, said in (
        (Arm("a", "", {"train": {"target_metric": "loss"}}), True),
        (Arm("a", "", {"train": {"target_metric": None}}), False),
        (Arm("a", "", {"kind": "speed"}), False),
    ):
        words = plan(lambda budget, arm=arm: [arm], {"full": 1})
        assert ("end sooner" in words) == said

"""Exercises of several papers: one order, one name each."""

from dataclasses import replace

import pytest

from kit.errors import KitError
from kit.grading.catalogue import in_order
from tests.grading.toy import toy


@pytest.fixture
def make(tmp_path):
    """An exercise of a paper, by its path and what it needs."""
    model = toy(tmp_path)

    def make(where, *needs):
        slug, name = where.split("/")
        path = model.path.parent / slug / f"{name}.py"
        return replace(model, path=path, id=name[3:], prerequisites=needs)

    return make


def ids(found):
    return [exercise.id for exercise in found]


def test_a_paper_comes_after_those_that_it_builds_on(make):
    found = [
        make("alpha/01_third", "second"),
        make("alpha/02_fourth", "third", "first"),
        make("beta/01_first"),
        make("beta/02_second", "first"),
    ]
    assert ids(in_order(found)) == ["first", "second", "third", "fourth"]
    assert ids(in_order(found[::-1])) == ["first", "second", "third", "fourth"]


def test_papers_that_need_nothing_of_each_other_keep_their_order(make):
    found = [make("alpha/01_a"), make("beta/01_b"), make("gamma/01_c")]
    assert ids(in_order(found)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "wheres, said",
    [
        ({"alpha/01_one": [], "beta/01_one": []}, "'one', which is taken"),
        ({"alpha/01_beta": [], "beta/01_one": []}, "'beta', which is taken"),
        ({"alpha/01_one": ["tow"], "alpha/02_two": []}, "prerequisite of one: 'tow'"),
        ({"alpha/01_one": ["two"], "alpha/02_two": []}, "two, which comes later"),
        ({"alpha/01_one": ["one"]}, "one, which comes later"),
        ({"alpha/01_one": ["two"], "beta/01_two": ["one"]}, "build on each other"),
    ],
)
def test_what_cannot_be_ordered_is_told(make, wheres, said):
    with pytest.raises(KitError, match=said):
        in_order([make(where, *needs) for where, needs in wheres.items()])

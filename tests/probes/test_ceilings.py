"""Ceilings of a permutation-invariant predictor (papers/02, sections b and h)."""

import time
from collections import Counter, defaultdict
from math import log

import numpy as np
import pytest

from kit.errors import KitError
from kit.probes import ceilings
from kit.probes.ceilings import answer_digits, bayes_ceilings, best_invariant_answer

# Published after an independent enumeration: accuracies and floors to three digits.
PUBLISHED = {
    False: ((0.729, 0.311, 0.350, 0.645), (0.518, 1.643, 1.417, 0.666), 0.509, 1.061),
    True: ((0.225, 0.275, 0.572, 0.943), (1.940, 1.601, 0.827, 0.102), 0.504, 1.118),
}
SETTINGS = [
    (zero_padding, reverse, mask)
    for zero_padding in (True, False)
    for reverse in (False, True)
    for mask in ("full", "prefix")
]


@pytest.mark.parametrize("reverse", [False, True])
def test_published_values_for_three_digits(reverse):
    found = bayes_ceilings(digits=3, reverse=reverse)
    accuracies, floors, token_accuracy, cross_entropy = PUBLISHED[reverse]
    assert found.num_multisets == 5005
    assert found.num_exact == 53_192
    assert found.num_pairs == 10**6
    assert found.digit_accuracies == pytest.approx(accuracies, abs=5e-4)
    assert found.digit_cross_entropies == pytest.approx(floors, abs=5e-4)
    assert found.token_accuracy == pytest.approx(token_accuracy, abs=5e-4)
    assert found.cross_entropy == pytest.approx(cross_entropy, abs=5e-4)


def test_published_values_of_the_other_formats():
    unpadded = bayes_ceilings(digits=3, zero_padding=False)
    assert unpadded.num_multisets == 7975
    assert unpadded.exact_match == pytest.approx(0.071382, abs=5e-7)
    assert bayes_ceilings(digits=2).exact_match == pytest.approx(0.285, abs=5e-4)
    assert bayes_ceilings(mask="prefix").cross_entropy == pytest.approx(0.9, abs=5e-4)


def test_one_digit_loses_nothing_because_addition_commutes():
    found = bayes_ceilings(digits=1)
    assert found.exact_match == 1.0
    assert found.cross_entropy == 0.0


def test_an_ordered_answer_has_one_entropy_in_both_directions():
    """Chain rule: the digits' entropies add up to that of the sum."""
    forward = bayes_ceilings(mask="prefix")
    backward = bayes_ceilings(mask="prefix", reverse=True)
    assert forward.cross_entropy == pytest.approx(backward.cross_entropy, rel=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_knowing_the_order_of_the_answer_never_hurts(reverse):
    full = bayes_ceilings(reverse=reverse)
    prefix = bayes_ceilings(reverse=reverse, mask="prefix")
    assert full.exact_match == prefix.exact_match
    for k in range(4):
        assert prefix.digit_accuracies[k] >= full.digit_accuracies[k]
        gain = full.digit_cross_entropies[k] - prefix.digit_cross_entropies[k]
        assert gain >= -1e-12


def by_hand(digits, zero_padding, reverse, mask):
    """The definition, one pair and one token at a time, on strings."""
    exact = defaultdict(Counter)
    tables = [defaultdict(Counter) for _ in range(digits + 1)]
    for a in range(10**digits):
        for b in range(10**digits):
            width = digits if zero_padding else 1
            prompt = f"{a:0{width}d}+{b:0{width}d}="
            answer = f"{a + b:0{digits + 1}d}"
            answer = answer[::-1] if reverse else answer
            exact[tuple(sorted(prompt))][a + b] += 1
            for k, target in enumerate(answer):
                if mask == "full":
                    seen = prompt + answer[:k]
                    context = (tuple(sorted(seen[:-1])), seen[-1])
                else:
                    context = (tuple(sorted(prompt)), answer[:k])
                tables[k][context][target] += 1
    total = 100**digits
    accuracies = [sum(max(c.values()) for c in t.values()) / total for t in tables]
    floors = [
        sum(n * log(sum(c.values()) / n) for c in t.values() for n in c.values())
        for t in tables
    ]
    num_exact = sum(max(c.values()) for c in exact.values())
    return len(exact), num_exact, accuracies, [floor / total for floor in floors]


@pytest.mark.parametrize(("zero_padding", "reverse", "mask"), SETTINGS)
def test_equals_the_definition_for_two_digits(zero_padding, reverse, mask):
    num_multisets, num_exact, accuracies, floors = by_hand(
        2, zero_padding, reverse, mask
    )
    found = bayes_ceilings(2, zero_padding, reverse, mask)
    assert found.num_multisets == num_multisets
    assert found.num_exact == num_exact
    assert found.digit_accuracies == pytest.approx(accuracies, abs=1e-12)
    assert found.digit_cross_entropies == pytest.approx(floors, abs=1e-12)


@pytest.mark.parametrize("zero_padding", [True, False])
@pytest.mark.parametrize("digits", [2, 3])
def test_best_answer_reaches_the_ceiling_and_no_more(digits, zero_padding):
    first, second = np.divmod(np.arange(100**digits), 10**digits)
    answers = best_invariant_answer(first, second, digits, zero_padding)
    right = int((answers == first + second).sum())
    assert right == bayes_ceilings(digits, zero_padding).num_exact


def test_best_answer_ignores_the_order_of_the_prompt():
    swapped = best_invariant_answer(
        np.array([123, 321, 456]), np.array([456, 645, 123])
    )
    assert len(set(swapped.tolist())) == 1


def test_answer_digits_are_reversed_by_reverse():
    sums = np.arange(2000)
    forward = answer_digits(sums, 3, reverse=False)
    np.testing.assert_array_equal(
        forward[:, ::-1], answer_digits(sums, 3, reverse=True)
    )
    np.testing.assert_array_equal(forward @ [1000, 100, 10, 1], sums)


def test_enumeration_is_fast_and_done_once():
    ceilings._enumerate.cache_clear()
    start = time.perf_counter()
    ceilings._enumerate(3, True)
    assert time.perf_counter() - start < 3
    assert bayes_ceilings(3) is bayes_ceilings(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"digits": 4}, "digits=4"),
        ({"digits": 0}, "digits=0"),
        ({"mask": "causal"}, "mask='causal'"),
    ],
)
def test_impossible_settings_say_so(arguments, message):
    with pytest.raises(KitError, match=message):
        bayes_ceilings(**arguments)


@pytest.mark.parametrize("operand", [-1, 1000])
def test_operands_out_of_range_say_so(operand):
    with pytest.raises(KitError, match=r"outside \[0, 1000\)"):
        best_invariant_answer(np.array([operand]), np.array([1]))

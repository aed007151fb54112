"""The figures of the symmetry study, on rows made by hand."""

import numpy as np
import pytest
from imagined import Watched, cells, imagined, imagined_row, imagined_rows

from kit.studies.results import Results
from kit.studies.symmetry import STUDY
from kit.studies.symmetry.bounds import ceilings_of
from kit.studies.verdicts import judge

pytestmark = pytest.mark.slow


def imagined_probes(arm):
    """Probes with as many layers as the arm has, and as many places as it shows."""
    layers = len(arm.spec["model"]["blocks"]) + 1
    places = 9 if arm.spec.get("probed") else 12
    by_layer = np.linspace(0.9, 0.2, layers).tolist()
    return {
        **dict.fromkeys(["position_probe", "own_token_margin"], by_layer),
        **dict.fromkeys(["neighbour_cosine", "distant_cosine"], by_layer),
        "diagonal_dominance": by_layer[1:],
        "last_correlation": [[None] * places, *np.eye(places)[1:].tolist()],
    }


@pytest.fixture(scope="module")
def watched():
    point = {"step": 10, "validation_loss": 1.0, "validation_exact_match": 0.5}
    history = [point, point | {"step": 20}]
    digits = {f"digit_{k}_loss": 1.0 for k in range(4)}
    return Watched(
        [
            imagined_row(
                cell,
                imagined(cell.arm, as_claimed=True) | digits,
                history=history,
                probes=imagined_probes(cell.arm),
            )
            for cell in cells("full")
        ],
        "full",
    )


@pytest.fixture(scope="module")
def drawn(watched):
    return STUDY.figures(watched)


def test_every_figure_is_drawn_with_a_caption(drawn):
    assert [figure.name for figure in drawn] == [
        "learning",
        "loss",
        "digits",
        "skips",
        "invariance",
        "slices",
        "position",
        "cosine",
        "dominance",
        "correlation",
        "text",
    ]
    assert all(len(figure.caption) > 60 for figure in drawn)


def test_the_learning_curves_are_named_in_words(drawn):
    (learning,) = [figure for figure in drawn if figure.name == "learning"]
    names = [text.get_text() for text in learning.figure.legends[0].get_texts()]
    assert {"no positions", "no positions, full mask", "no positions, no skips"} <= {
        *names
    }
    assert len(set(names)) == len(names)
    assert not any("→" in name or "_" in name for name in names)


def test_both_orders_of_digits_stand_beside_their_own_bounds(drawn):
    (digits,) = [figure for figure in drawn if figure.name == "digits"]
    axes = {ax.get_title(): ax for ax in digits.figure.axes}
    assert list(axes) == [
        f"{kind}, {order} first"
        for order in ("lowest", "highest")
        for kind in ("accuracy", "loss, nats")
    ]
    for title, ax in axes.items():
        best = ceilings_of({"reverse_answer": "lowest" in title})
        bound = best.digit_cross_entropies if "loss" in title else best.digit_accuracies
        lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
        drawn = lines["best that counting allows, full mask"]
        assert tuple(drawn) == bound


def test_no_arm_is_trained_for_nothing(watched, drawn):
    """Every arm answers a claim or is seen in a figure."""
    assert drawn
    judge(STUDY.claims, watched)
    assert {arm.name for arm in STUDY.arms("full")} <= watched.asked


def test_results_without_rows_have_no_figures():
    assert STUDY.figures(Results([], "smoke")) == []
    only_text = [row for row in imagined_rows("full") if row.arm == "T-none"]
    assert [f.name for f in STUDY.figures(Results(only_text))] == ["text"]

"""The figures of the simplify study, on rows made by hand."""

import numpy as np
import pytest
from imagined import Watched
from imagined_simplify import STEPS, imagined_rows
from matplotlib.text import Text

from kit.pictures import style
from kit.studies.results import Results
from kit.studies.simplify import STUDY
from kit.studies.simplify.arms import DECIDING, NAMES
from kit.studies.verdicts import judge

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def watched():
    return Watched(imagined_rows("full"), "full")


@pytest.fixture(scope="module")
def drawn(watched):
    with style("light"):  # as a report is drawn
        return {figure.name: figure for figure in STUDY.figures(watched)}


def axes_of(figure):
    return {ax.get_title(loc="left"): ax for ax in figure.figure.axes}


def test_every_figure_is_drawn_with_a_caption(drawn):
    assert list(drawn) == [
        "learning-step",
        "learning-seconds",
        "encoder-step",
        "encoder-seconds",
        "losses",
        "updates",
        "starts",
        "depth",
        "gains",
        "ratios",
        "signal",
        "speed",
    ]
    assert all(len(figure.caption) > 60 for figure in drawn.values())
    assert "6 blocks" in drawn["losses"].caption  # as the specs say


def test_no_title_or_label_is_cut_or_covered(drawn):
    for name, figure in drawn.items():
        figure.figure.canvas.draw()
        titles = axes_of(figure).keys() - {""}
        texts = figure.figure.findobj(lambda it: isinstance(it, Text))
        texts = [text for text in texts if text.get_text() in titles]
        texts += [text for legend in figure.figure.legends for text in legend.texts]
        assert texts or name == "losses"
        boxes = [text.get_window_extent() for text in texts]
        for i, box in enumerate(boxes):
            said = name, texts[i].get_text()
            assert box.x0 >= 0 and box.x1 <= figure.figure.bbox.width, said
            assert not any(box.overlaps(other) for other in boxes[:i]), said


def test_the_blocks_are_named_as_the_paper_names_them(drawn):
    for name in ("learning-step", "signal"):
        legend = drawn[name].figure.legends[0]
        found = [text.get_text() for text in legend.get_texts()]
        assert found == [NAMES[arm] for arm in DECIDING]


def test_ratios_are_those_of_the_gains(drawn):
    axes = axes_of(drawn["ratios"])
    assert list(axes) == [
        f"{matrix}s, {where}"
        for matrix in ("value", "projection")
        for where in ("no skip", "Pre-LN")
    ]
    for ax in axes.values():
        (line,) = [line for line in ax.lines if line.get_label() == "block 0"]
        expected = [0.2 * (1 - step / STEPS[-1]) for step in STEPS]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)
        assert ax.get_xticklabels()[-1].get_text() == str(STEPS[-1])


def test_the_signal_of_the_naive_block_collapses_and_the_input_has_no_weights(drawn):
    axes = axes_of(drawn["signal"])
    ends = {
        line.get_label(): line.get_ydata()[-1] for line in axes["cosine, trained"].lines
    }
    assert ends.pop(NAMES["C-naive"]) == 1.0
    assert set(ends.values()) == {0.1}
    for line in axes["gradient, at the start"].lines:
        assert np.isnan(line.get_ydata()).tolist() == [True] + [False] * 6


def test_a_run_that_diverged_is_no_line_of_gains():
    rows = [row for row in imagined_rows("full") if row.arm == "F-sas"]
    rows[0].__dict__.update(status="diverged", probes={})
    del rows[0].history[3:]
    names = [figure.name for figure in STUDY.figures(Results(rows, "full"))]
    assert names == ["gains", "signal"]


def test_no_arm_is_trained_for_nothing(watched, drawn):
    """Every arm answers a claim or is seen in a figure."""
    assert drawn
    judge(STUDY.claims, watched)
    assert {arm.name for arm in STUDY.arms("full")} <= watched.asked


def test_figures_are_drawn_from_whatever_was_run():
    assert STUDY.figures(Results([], "smoke")) == []
    some = [row for row in imagined_rows("full") if row.arm in DECIDING[:2]]
    names = {figure.name for figure in STUDY.figures(Results(some, "full"))}
    assert names == {"learning-step", "losses", "signal"}
    some += [row for row in imagined_rows("full") if row.arm == "T-C-naive"]
    timed = {figure.name for figure in STUDY.figures(Results(some, "full"))}
    assert timed == names | {"learning-seconds"}

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kit import plots
from kit.pictures import DASHES, PALETTE, line_style, style
from kit.studies.claims import Claim, Value
from kit.studies.results import Results, Row
from kit.studies.verdicts import judge


def run(arm="a", seed=0, losses=(), status="finished", value=0.5, every=10):
    history = [{"step": every * i, "loss": loss} for i, loss in enumerate(losses)]
    metrics = {"accuracy": value}
    return Row(
        f"{arm}{seed}", "s", "quick", arm, f"{arm}!", seed, status, {}, metrics, history
    )


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_curves_hold_the_last_value_of_a_run_that_reached_its_target():
    rows = [run(losses=[4, 3, 2, 1]), run(seed=1, losses=[3, 1], status="reached")]
    steps, values = plots.curves(rows, "loss")
    assert steps.tolist() == [0, 10, 20, 30]
    assert values.tolist() == [[4, 3, 2, 1], [3, 1, 1, 1]]


def test_curves_of_a_run_that_diverged_end_there():
    rows = [run(losses=[4, 3, 2]), run(seed=1, losses=[4, 9, None], status="diverged")]
    _, values = plots.curves(rows, "loss")
    np.testing.assert_array_equal(values, [[4, 3, 2], [4, 9, np.nan]])


def test_curves_of_runs_without_history_are_empty():
    steps, values = plots.curves([run()], "loss")
    assert steps.shape == (0,) and values.shape == (1, 0)


def test_learning_curves_draw_the_mean_of_the_arms_that_were_run():
    rows = [run(losses=[4, 2]), run(seed=1, losses=[2, 0]), run("c", losses=[5, 5])]
    arms = ["c", "missing", "a"]
    references = {"floor": 1.0}
    figure = plots.learning_curves(
        Results(rows), "loss", arms, references=references, log=True
    )
    (ax,) = figure.axes
    drawn = {line.get_label(): line for line in ax.get_lines()}
    assert legend(figure) == ["c!", "a!", "floor"]
    assert drawn["a!"].get_ydata().tolist() == [3, 1]
    assert drawn["a!"].get_color() == line_style(arms.index("a"))["color"]
    assert ax.get_yscale() == "log"


def test_line_styles_all_differ():
    looks = [tuple(line_style(i).values()) for i in range(len(PALETTE) * len(DASHES))]
    assert len(set(looks)) == 24


def test_bars_are_means_with_a_point_per_seed_and_a_cross_for_what_is_lost():
    rows = [run(value=0.2), run(seed=1, value=0.4), run("b", value=0.7)]
    rows.append(run("b", 1, value=None, status="diverged"))
    figure = plots.bar_with_points(Results(rows), "accuracy", limits=(0, 1))
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.3, 0.7])
    points = [dots.get_offsets()[:, 0].tolist() for dots in ax.collections]
    assert points == [[0.2, 0.4], [0.7]]
    crosses = [line for line in ax.get_lines() if line.get_marker() == "x"]
    assert len(crosses) == 1
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a!", "b!"]


def test_no_interval_ends_outside_the_axis():
    rows = [run(seed=seed, value=value) for seed, value in enumerate((4.1, 4.2))]
    for each in rows:
        each.metrics["loss"] = each.metrics["accuracy"]
    (ax,) = plots.bar_with_points(Results(rows), "loss", limits=(4.0, 4.3)).axes
    (interval,) = ax.get_lines()
    low, high = interval.get_xdata()
    left, right = ax.get_xlim()
    assert low < 4.0 and high > 4.3  # Student's, of two runs
    assert left <= low and high <= right


def test_heatmap_writes_the_numbers_and_centres_diverging_colours():
    values = [[1.0, -2.0], [None, 0.5]]
    figure = plots.heatmap(values, ["x", "y"], form=".1f", diverging=True)
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.0", "-2.0", "0.5"]
    assert ax.images[0].get_clim() == (-2.0, 2.0)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["x", "y"]


def test_heatmap_writes_below_a_number_how_sure_it_is():
    spreads = [[0.3, np.inf], [0.1, np.nan]]
    figure = plots.heatmap([[1, 2], [None, 3]], form="+.1f", spreads=spreads)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["+1.0\n±0.3", "+2.0", "+3.0"]


def test_verdict_strip_tells_verdicts_apart_without_colour():
    results = Results([run(seed=seed) for seed in range(3)])
    bounds = {"C1": 0.4, "C2": 0.6}
    claims = [
        Claim(n, "x" * 99, "", Value("a", "accuracy", b)) for n, b in bounds.items()
    ]
    verdicts = judge(claims + [Claim("C3", "", "", Value("b", "accuracy", 1))], results)
    texts = [t.get_text() for t in plots.verdict_strip(verdicts).axes[0].texts]
    assert texts[0::3] == ["✓", "✗", "?"]
    assert texts[1::3] == ["C1", "C2", "C3"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_picture_shows_itself_as_png_on_a_page_of_its_mode(mode):
    with style(mode):
        figure = plots.bar_with_points(Results([run()]), "accuracy")
        red, *_ = figure.get_facecolor()
        assert (red > 0.5) == (mode == "light")
        png, shown = figure._repr_png_()
        assert png.startswith(b"\x89PNG")
        assert shown["width"] < 640, "letters as large as the page's, not larger"


def test_figures_need_no_window_system():
    source = (Path(plots.__file__).parent / "pictures.py").read_text()
    assert "pyplot" not in source + Path(plots.__file__).read_text()


def test_no_label_of_a_bar_meets_another():
    rows = [run(arm, value=0.5) for arm in "abcdef"]
    long = "positions learned → none; all blocks: both skips 1 → 0; learning rate x0.3"
    rows = [replace(row, label=f"{row.arm}: {long}") for row in rows]
    figure = plots.bar_with_points(Results(rows), "accuracy")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))

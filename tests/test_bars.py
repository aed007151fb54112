"""Panels of costs."""

from kit.bars import log_panels
from kit.studies.results import Results, Row


def run(arm, seed, **metrics):
    return Row(f"{arm}{seed}", "s", "full", arm, f"{arm}!", seed, "ok", {}, metrics)


def test_every_panel_has_its_metric_and_names_are_said_once():
    rows = [run("a", s, blocks=10.0**s, seconds=1.0 + s) for s in range(3)]
    rows += [run("b", 0, blocks=500.0, seconds=None)]
    labels = {"blocks": "blocks evaluated", "seconds": "seconds of a core"}
    figure = log_panels(Results(rows), labels, ["a", "b"], names={"a": "A"})
    first, second = figure.axes
    assert [ax.get_xlabel() for ax in figure.axes] == [*labels.values()]
    assert {ax.get_xscale() for ax in figure.axes} == {"log"}
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["A", "b!"]
    assert not any(tick.get_visible() for tick in second.get_yticklabels())
    points = [dots.get_offsets()[:, 0].tolist() for dots in first.collections]
    assert [1.0, 10.0, 100.0] in points and [500.0] in points
    points = [dots.get_offsets()[:, 0].tolist() for dots in second.collections]
    assert [1.0, 2.0, 3.0] in points and len(points) == 2  # a stroke, and the runs
    assert not first.patches and not second.patches  # no bars: they would lie

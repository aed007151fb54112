import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from toy import STUDY, results

from kit.errors import KitError
from kit.studies.report import write_report
from kit.studies.results import Results
from kit.studies.verdicts import judge

PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """Collects every attribute that a browser would fetch, and all text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = ("src", "srcset", "href", "data", "action", "poster", "background")
        self.links += [value for name, value in attributes if name in named]

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def own():
    return results(low=[0.1, 0.2, 0.3], high=[0.9, 1.0, None])


@pytest.fixture
def kept():
    rows = results(low=[0.1, 0.1, 0.12], high=[0.9, 0.91, 0.93]).rows
    rows = [replace(row, environment={"keras": "3.15.1", "gpu": None}) for row in rows]
    return Results(rows, "full", "committed")


@pytest.mark.slow
def test_the_page_needs_nothing_from_outside(own, kept, tmp_path):
    text = write_report(STUDY, own, kept, tmp_path).read_text()
    page = Page(text)
    assert len(page.links) == 4  # one figure, two sides, light and dark
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    without_pictures = re.sub(r"data:[^\"]*", "", text)
    assert not re.search(r"https?:|url\(|@import|//", without_pictures)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)


@pytest.mark.slow
def test_both_sides_are_shown_with_their_verdicts(own, kept, tmp_path):
    page = Page(write_report(STUDY, own, kept, tmp_path).read_text())
    for side in (own, kept):
        for verdict in judge(STUDY.claims, side):
            assert verdict.sentence in page.text
            assert verdict.statement in page.text
    assert "seed 2" in page.text  # the run that diverged is told
    assert "keras 3.15.1" in page.text and "gpu" not in page.text
    assert "kit reproduce toy --budget quick" in page.text


def test_the_page_begins_with_what_was_found_in_short(own, tmp_path):
    told = replace(
        STUDY, in_short=lambda rows, verdicts: [f"{len(rows)} runs, <b>all</b>."]
    )
    text = write_report(told, own, Results([]), tmp_path).read_text()
    sentence = "<li>6 runs, &lt;b&gt;all&lt;/b&gt;.</li>"
    assert text.index(sentence) < text.index("<h2>Verdicts</h2>")


def test_what_a_study_says_is_escaped_and_its_card_is_markdown(own, tmp_path):
    text = write_report(STUDY, own, Results([], "full"), tmp_path).read_text()
    assert "<strong>no</strong> time" in text
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "Accuracy &lt;by&gt; arm" in text


@pytest.mark.parametrize("missing", ["own", "kept"])
def test_one_side_is_enough(own, kept, tmp_path, missing):
    nothing = Results([], "quick")
    sides = (nothing, kept) if missing == "own" else (own, nothing)
    page = Page(write_report(STUDY, *sides, tmp_path).read_text())
    assert len(page.links) == 2
    summary = json.loads((tmp_path / "report.json").read_text())
    assert summary[missing] is None


def test_json_and_png_files_lie_beside_the_page(own, kept, tmp_path):
    write_report(STUDY, own, kept, tmp_path / "deep")
    names = sorted(path.name for path in (tmp_path / "deep").iterdir())
    assert names == ["accuracy-kept.png", "accuracy.png", "report.html", "report.json"]
    assert (tmp_path / "deep" / "accuracy.png").read_bytes().startswith(PNG)
    summary = json.loads((tmp_path / "deep" / "report.json").read_text())
    verdicts = judge(STUDY.claims, kept)
    assert summary["kept"]["verdicts"] == [verdict.to_dict() for verdict in verdicts]
    (low, high) = summary["own"]["arms"]
    assert (low["diverged"], high["diverged"], high["runs"]) == (0, 1, 3)
    assert high["accuracy"] == "0.95 (0.3147 to 1) (1 of 3 missing)"


def test_columns_of_the_table_can_be_chosen(own, tmp_path):
    chosen = replace(STUDY, metrics={"accuracy": ".1%"})
    text = write_report(chosen, own, Results([]), tmp_path).read_text()
    assert "20.0% (0.0% to 44.8%)" in text


def test_metrics_that_no_arm_or_not_every_arm_has_are_no_trouble(own, tmp_path):
    rows = [
        replace(r, metrics={"loss": 0.5}) if r.arm == "low" else r for r in own.rows
    ]
    chosen = replace(STUDY, metrics={"accuracy": ".1f", "loss": ".1f", "rare": ".1f"})
    chosen = replace(chosen, claims=(), figures=None)
    write_report(chosen, Results(rows, "quick"), Results([]), tmp_path)
    low, high = json.loads((tmp_path / "report.json").read_text())["own"]["arms"]
    assert (low["accuracy"], low["loss"]) == ("–", "0.5")
    assert (high["accuracy"], high["loss"]) == (
        "0.9 (0.3 to 1.0) (1 of 3 missing)",
        "–",
    )
    assert "rare" not in low


def test_without_any_rows_there_is_no_report(tmp_path):
    with pytest.raises(KitError, match="no results") as error:
        write_report(STUDY, Results([]), Results([]), tmp_path / "out")
    assert "kit reproduce toy" in error.value.fix
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_explained(own, tmp_path):
    (tmp_path / "out").write_text("a file in the way")
    with pytest.raises(KitError, match="Cannot write the report") as error:
        write_report(STUDY, own, Results([]), tmp_path / "out")
    assert "--out" in error.value.fix

"""What the notebooks use, so that their cells hold only what they teach."""

import base64
import html
import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from IPython.display import HTML, Markdown

from kit.config import ModelConfig
from kit.errors import known
from kit.grading.exercises import exercises
from kit.grading.results import Result as Checked
from kit.labels import difference_label
from kit.markdown import table
from kit.studies.results import Results, Row
from kit.studies.study import Study
from kit.studies.verdicts import judge

if TYPE_CHECKING:
    from kit.pictures import Picture
    from kit.training import Run

BUDGETS = ("smoke", "quick")


def prepare() -> str:
    """Make figures look like the kit's, and TensorFlow start without its greetings.

    Returns:
        The budget of the notebook, from `$KIT_BUDGET`: `"quick"`, or `"smoke"` for a
        few seconds of training, enough to see that everything runs.

    Raises:
        KitError: There is no such budget.
    """
    import matplotlib

    from kit.pictures import look
    from kit.quiet import quiet

    quiet()
    logging.getLogger("tensorflow").addFilter(_not_about_retracing)
    settings: Any = look()
    matplotlib.rcParams.update(settings)
    asked = os.environ.get("KIT_BUDGET") or "quick"
    return known("KIT_BUDGET", asked, BUDGETS)


def _not_about_retracing(record: logging.LogRecord) -> bool:
    """TensorFlow warns when a notebook trains several models, each with a function."""
    return "triggered tf.function retracing" not in record.getMessage()


def compare(what: str, prediction: Any, measured: Any) -> None:
    """Print what was predicted beside what was measured.

    Example:
        >>> compare("one block notices", "yes", "no")
        one block notices: you predicted yes, measured no
        >>> compare("one block notices", None, "no")
        one block notices: you predicted nothing, measured no
    """
    said = "nothing" if prediction in (None, ...) else prediction
    print(f"{what}: you predicted {said}, measured {measured}")


def own_results(
    runs: Mapping[str, "Run | Sequence[Run]"], base: ModelConfig
) -> Results:
    """Runs of yours as rows, for `kit.plots`.

    Args:
        runs: Name -> what `kit.training.train` returned, once or for seeds 0, 1, ...
        base: The model whose edits the others are; it gives them their labels.
    """
    rows = [
        Row(
            key=f"{name} {seed}",
            study="",
            budget="notebook",
            arm=name,
            label=difference_label(run.model.config, base),
            seed=seed,
            status=run.status,
            spec={"model": run.model.config.to_dict()},
            metrics=dict(run.metrics),
            history=run.history,
            training_seconds=run.training_seconds,
            steps=run.steps,
        )
        for name, found in runs.items()
        for seed, run in enumerate(found if isinstance(found, Sequence) else [found])
    ]
    return Results(rows, "notebook")


def side_by_side(pictures: Mapping[str, "Picture"]) -> HTML:
    """Pictures under their titles, beside each other where the page is wide enough."""
    figures = "".join(
        '<figure style="flex: 1 1 20em; margin: 0">'
        f"<figcaption><b>{html.escape(title)}</b></figcaption>"
        f'<img alt="{html.escape(title)}" style="width: 100%" '
        f'src="data:image/png;base64,{base64.b64encode(picture.png()).decode()}">'
        "</figure>"
        for title, picture in pictures.items()
    )
    return HTML(
        f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{figures}</div>'
    )


def side_by_side_table(
    own: Results, kept: Results, same: Mapping[str, str | None], metric: str, form: str
) -> Markdown:
    """A metric of your runs beside that of stored ones, with its interval over seeds.

    Args:
        own: Your runs, one for each name.
        kept: Stored rows.
        same: Name of a run of yours -> the stored arm with the same edit, if any.
        metric, form: What is compared, and its format.
    """
    from kit.studies.sides import mean_in_words

    rows = []
    for name, arm in same.items():
        mine = mean_in_words(own.values(name, metric).values(), form)
        stored = kept.values(arm, metric) if arm else {}
        theirs = mean_in_words(stored.values(), form)
        rows.append((name, mine, theirs, str(len(stored))))
    head = ["", "yours", "the kit's (95 % interval)", "seeds"]
    return Markdown(table(head, rows))


def verdict_table(study: Study, results: Results) -> Markdown:
    """What became of each claim of a study, with the numbers that say so."""
    from kit.pictures import SIGNS

    rows = []
    for verdict in judge(study.claims, results):
        sign = f"{SIGNS[verdict.verdict]} {verdict.verdict}".replace(" ", "&nbsp;", 1)
        claim = f"**{verdict.claim}** {verdict.statement} *({verdict.evidence})*"
        rows.append((claim, sign, verdict.sentence))
    return Markdown(table(["claim", "verdict", "found"], rows))


def scoreboard(slug: str, checks: Mapping[str, Checked]) -> None:
    """Print the points of a paper's exercises.

    Args:
        slug: The paper.
        checks: Exercise -> what `kit.grading.check_in_notebook` returned.
    """
    earned = points = 0.0
    for exercise in exercises(slug):
        result = checks.get(exercise.id)
        got = result.earned if result else 0.0
        earned, points = earned + got, points + exercise.points
        print(f"{exercise.title:40} {got:4g} of {exercise.points}")
    print(f"{'together':40} {earned:4g} of {points:g}")

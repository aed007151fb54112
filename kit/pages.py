"""Pages: one HTML file that needs nothing else, in one look, for screen and paper.

A page is a template that extends `base.html.jinja`.
"""

import base64
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from kit.paths import PACKAGE


def render(
    template: Path,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **values: Any,
) -> str:
    """The page that a template makes of some values; it also gets the `date`.

    Args:
        template: Path of a file that extends `base.html.jinja`.
        filters: What it calls by name.
        values: By the names that it knows; one that is missing is an error.

    Example:
        >>> import tempfile
        >>> text = '{% extends "base.html.jinja" %}{% block body %}{{ x }}'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "small.html.jinja")
        ...     _ = file.write_text(text + "{% endblock %}")
        ...     "1 &lt; 2" in render(file, x="1 < 2")
        True
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, PACKAGE]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(filters or {})
    date = datetime.date.today().isoformat()
    return environment.get_template(template.name).render(date=date, **values)


def inline(png: bytes) -> str:
    """A picture as an address that holds it.

    Example:
        >>> inline(b"png")
        'data:image/png;base64,cG5n'
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")

"""Tables of Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars within a cell are told from those between cells.

    Example:
        >>> print(table(["claim", "verdict"], [["|beta / alpha| falls", "open"]]))
        | claim | verdict |
        |---|---|
        | \\|beta / alpha\\| falls | open |
    """
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return "| " + " | ".join(escaped) + " |"

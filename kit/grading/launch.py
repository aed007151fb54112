"""How a submission is confined: the seam between practice and stricter modes.

`launch` is the only way from the judge to a submission. Practice mode gives it a
process group, limits and deadlines of its own; a stricter mode passes another
function with the same signature to the judge and changes nothing else.
"""

import atexit
from functools import cache

from kit.grading.server import Server
from kit.grading.submission import Child, Submission


@cache
def server(backend: str | None = None) -> Server:
    """The server that this process keeps until it ends."""
    kept = Server(backend)
    atexit.register(kept.close)
    return kept


def launch(submission: Submission) -> Child:
    """Start a submission in practice mode: its own process, limits and deadline."""
    return server().launch(submission)

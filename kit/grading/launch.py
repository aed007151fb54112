"""How a submission is confined: the seam between practice and stricter modes.

`launch` is the only way from the judge to a submission. Practice mode gives it a
process group, limits and deadlines of its own; a stricter mode passes another
function with the same signature to the judge and changes nothing else.

Practice mode keeps expected values out of a submission's process, and makes of every
crash, endless loop and flood of output a failed check. It does not keep secrets from
somebody who looks for them: a submission runs as whoever started it, may read every
file of the kit, with the answers in `solutions/`, and shares its process with the
driver, whose frames and globals say which function of a "write the test" exercise is a
right one. Its marks are for the learner, who would only be fooling themselves; for
marks that count for somebody else, read what was handed in.
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

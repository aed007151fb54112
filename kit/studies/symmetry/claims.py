"""What the paper claims, and the test that answers each claim.

Sources are quoted as `papers` of the study's card: the abstracts and introduction of
both versions were read, the experiments only through a summary.
"""

from kit.studies.symmetry.order import ORDER
from kit.studies.symmetry.skips import SKIPS

CLAIMS = tuple(sorted([*ORDER, *SKIPS], key=lambda claim: claim.id))

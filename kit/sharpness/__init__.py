"""How sharp a loss is in each block of a model (2502.19002).

`operators` are curvature matrices of a model, `algorithms` find out about any matrix
from its products, `blocks` says it by block. `FisherSharpness` and `SharpnessCallback`
are the cheap way, one gradient a batch, for watching a training run.
"""

from kit.sharpness.algorithms import (
    Eigenpair as Eigenpair,
)
from kit.sharpness.algorithms import (
    Estimate as Estimate,
)
from kit.sharpness.algorithms import (
    Ritz as Ritz,
)
from kit.sharpness.algorithms import (
    Spectrum as Spectrum,
)
from kit.sharpness.algorithms import (
    hutchinson,
    hutchinson_parts,
    lanczos,
    power_iteration,
    spectral_density,
)
from kit.sharpness.blocks import (
    Restricted,
    by_label,
    labels,
)
from kit.sharpness.blocks import (
    parts as parts,
)
from kit.sharpness.blocks import (
    sharpness as sharpness,
)
from kit.sharpness.blocks import (
    top_eigenvalues as top_eigenvalues,
)
from kit.sharpness.callback import SharpnessCallback
from kit.sharpness.fisher import FisherSharpness
from kit.sharpness.objective import Objective as Objective
from kit.sharpness.operators import (
    FisherOperator as FisherOperator,
)
from kit.sharpness.operators import (
    GaussNewtonOperator as GaussNewtonOperator,
)
from kit.sharpness.operators import (
    HessianOperator as HessianOperator,
)
from kit.sharpness.operators import (
    Operator,
)

__all__ = [
    "FisherSharpness",
    "Operator",
    "Restricted",
    "SharpnessCallback",
    "by_label",
    "hutchinson",
    "hutchinson_parts",
    "labels",
    "lanczos",
    "power_iteration",
    "spectral_density",
]

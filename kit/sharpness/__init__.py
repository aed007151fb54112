"""How sharp a loss is in each block of a model (2502.19002).

`operators` are curvature matrices of a model, `algorithms` find out about any matrix
from its products, `blocks` says it by block. `FisherSharpness` and `SharpnessCallback`
are the cheap way, one gradient a batch, for watching a training run.
"""

from kit.sharpness.algorithms import (
    Eigenpair,
    Estimate,
    Ritz,
    Spectrum,
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
    parts,
    sharpness,
    top_eigenvalues,
)
from kit.sharpness.callback import SharpnessCallback
from kit.sharpness.fisher import FisherSharpness
from kit.sharpness.objective import Objective
from kit.sharpness.operators import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    Operator,
)

__all__ = [
    "Eigenpair",
    "Estimate",
    "FisherOperator",
    "FisherSharpness",
    "GaussNewtonOperator",
    "HessianOperator",
    "Objective",
    "Operator",
    "Restricted",
    "Ritz",
    "SharpnessCallback",
    "Spectrum",
    "by_label",
    "hutchinson",
    "hutchinson_parts",
    "labels",
    "lanczos",
    "parts",
    "power_iteration",
    "sharpness",
    "spectral_density",
    "top_eigenvalues",
]

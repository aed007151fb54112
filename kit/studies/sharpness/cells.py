"""What a worker does with an arm: train it, and measure its sharpness on the way.

`looks` of a spec asks for it: Fisher estimates at `steps` over `batches` training
batches, with labels drawn from the model and with the true ones; and at the end the
trace of the Hessian from `products` products.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.sharpness import HessianOperator, SharpnessCallback, sharpness
from kit.sharpness.fisher import PREFIX
from kit.studies import training
from kit.studies.sharpness.measures import (
    BY,
    agreement,
    blocks_of,
    grouped,
    summary,
    types_of,
)
from kit.training import Run, token_cross_entropy

TARGETS = ("sampled", "true")
MEASURED = 10_000  # the seed of the batches that are measured: no run trains with it
CURVED = 4  # batches of them that the Hessian is of


def prepare(spec: Mapping[str, Any]) -> training.RunSeed:
    """Build and compile an arm once; the returned function trains one seed."""
    if "looks" not in spec:
        return training.prepare(spec)
    look = Look(**spec["looks"], batch_size=spec["train"]["batch_size"])
    return training.prepare(spec, look.after, callbacks=look.callbacks)


class Look:
    """The sharpness of one arm; what it compiles serves all seeds.

    Args:
        steps: When it is measured.
        batches: How many batches it is the mean over.
        batch_size: Sequences of each.
        products: Products with the Hessian at the end; 0 for none.
    """

    def __init__(
        self, steps: Sequence[int], batches: int, batch_size: int, products: int = 0
    ):
        self.steps, self.batches, self.products = list(steps), batches, products
        self.batch_size = batch_size
        self.watches: dict[str, SharpnessCallback] = {}

    def callbacks(self, task: Any) -> list[Any]:
        """The callbacks of a run that is about to start, with nothing in them."""
        if not self.watches:
            self.data = [
                task.batch(i, self.batch_size, MEASURED) for i in range(self.batches)
            ]
            self.watches = {
                targets: SharpnessCallback(
                    self.data,
                    BY,
                    self.steps,
                    targets=targets,
                    loss=token_cross_entropy,
                )
                for targets in TARGETS
            }
        for watch in self.watches.values():
            watch.rows = []
        return list(self.watches.values())

    def after(self, run: Run, task: Any, seed: int) -> tuple[dict, dict]:
        """Metrics and probes of a run; see `measures.summary`."""
        blocks = blocks_of(run.model)
        found = {
            targets: [_plain(row) for row in watch.rows]
            for targets, watch in self.watches.items()
        }
        metrics = summary(found["sampled"], blocks)
        true = grouped(found["true"][-1]["values"], blocks, "type")
        metrics["tau_end_true"] = agreement(true)
        probes: dict[str, Any] = {"blocks": blocks, "sharpness": found}
        if self.products:
            probes["hessian"] = self._hessian(run.model)
            sharp = {name: each["value"] for name, each in probes["hessian"].items()}
            metrics["tau_end_hessian"] = agreement(sharp)
        return metrics, probes

    def _hessian(self, model: Any) -> dict[str, dict[str, float]]:
        """S(b) by type from the Hessian itself, with its standard error."""
        operator = HessianOperator(model, self.data[:CURVED])
        types = dict(
            zip(map(id, model.trainable_variables), types_of(model), strict=True)
        )
        estimates = sharpness(operator, lambda v: types[id(v)], self.products)
        return {
            name: {"value": each.value, "standard_error": each.standard_error}
            for name, each in estimates.items()
        }


def _plain(row: Mapping[str, float]) -> dict[str, Any]:
    values = {
        name.removeprefix(PREFIX): value
        for name, value in row.items()
        if name.startswith(PREFIX)
    }
    return {"step": int(row["step"]), "values": values}

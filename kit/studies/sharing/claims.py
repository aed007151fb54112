"""What the paper claims, and the test that answers each claim.

Losses are in nats per token on held-out text. Written before any run was looked at.
What follows from the paper but is not in it is called derived, and the paper has no
ablations: those are in `ablations`.
"""

from kit.studies.claim import Test
from kit.studies.claims import AllOf, CannotTell, Exact, Value
from kit.studies.contrasts import Contrast
from kit.studies.sharing.ablations import ABLATIONS, DERIVED, claim
from kit.studies.sharing.alike import C1, C2
from kit.studies.sharing.comparisons import (
    EFFECT,
    Bounded,
    Remarked,
    Stages,
    as_good,
    compared,
    value,
)
from kit.studies.sharing.paper import (
    BASE,
    CONTINUAL,
    DISTILLED,
    LISTS,
    OUTLIER,
    mean,
    published,
    raised,
    remark,
)

ROUNDING = 0.00005  # of the shares that the paper prints
HELPS = ", ".join(
    f"{mean(DISTILLED[share]) - mean(CONTINUAL[share]):+z.2f}" for share in DISTILLED
)
WITHOUT = ", ".join(f"{mean(DISTILLED[share], OUTLIER):.2f}" for share in LISTS)
SPEEDS = [f"speed-{share}" for share in LISTS]
ON_TASKS = (
    "This scale cannot tell: models of this size answer such tasks by chance; here "
    "loss on held-out text stands for them."
)


def distilled_is_better(rate: str) -> Test:
    """Distillation first, then further training, for as many tokens."""
    return compared(f"text-{rate}-kd-continual", f"text-{rate}-continual")


def _gains(metric: str) -> AllOf:
    """What the paper prints for each of its rates, at least."""
    gains = zip(SPEEDS, published(metric), strict=True)
    return AllOf(
        [Bounded(Value(arm, metric, at_least=gain, form=".1%")) for arm, gain in gains]
    )


C3_TO_C4 = (
    claim(
        "C3a",
        "With a quarter of the maps copied, further training alone brings the model "
        "back to where it was",
        f"Table 1, 23 %: average {mean(CONTINUAL['23']):.2f} against {mean(BASE):.2f}",
        Remarked(as_good("text-25-continual", "text-base")),
    ),
    claim(
        "C3b",
        "With a quarter of the maps copied, further training brings the model to where "
        "the unshared one is after the same training",
        "not in the paper",
        as_good("text-25-continual", "text-0-continual"),
        DERIVED,
    ),
    *(
        claim(
            f"C4{letter}",
            f"At {name} shared, distilling first ends at a lower loss after as many "
            "tokens",
            f"Tables 1 and 2: {raised(theirs)}; the paper gives distillation more "
            "tokens",
            distilled_is_better(rate),
        )
        for letter, rate, name, theirs in (
            ("a", "75", "3/4", "77"),
            ("b", "40", "2/5", "41"),
            ("c", "25", "1/4", "23"),
        )
    ),
    claim(
        "C4d",
        "Distilling first helps the more, the more is shared",
        f"Tables 1 and 2: {HELPS}, from the scores",
        Contrast(
            "Gain by distilling at 3/4 minus that at 1/4",
            {
                "text-75-continual": 1,
                "text-75-kd-continual": -1,
                "text-25-continual": -1,
                "text-25-kd-continual": 1,
            },
            "loss",
            EFFECT,
        ),
    ),
    claim(
        "C4e",
        "More sharing ends at a higher loss, also when distilled",
        f"Table 2 without {OUTLIER}: {WITHOUT}",
        AllOf(
            [
                compared(f"text-{less}-kd-continual", f"text-{more}-kd-continual")
                for less, more in (("25", "40"), ("40", "75"))
            ]
        ),
    ),
    claim(
        "C4f",
        "The teacher matters, not the order: distilling alone is better than further "
        "training alone at 3/4",
        "not in the paper",
        compared("text-75-kd", "text-75-continual"),
        DERIVED,
    ),
)

C5 = (
    claim(
        "C5a",
        "Sharing saves the parameters that the paper prints",
        "Table 3: 2.14, 3.86 and 7.29 % of TinyLlama; the second is that of 9 blocks, "
        "and 8 are listed",
        AllOf(
            [
                Exact(SPEEDS, "formula_miss", at_most=0.0, words="parameters off"),
                Exact(
                    SPEEDS,
                    "printed_miss",
                    at_most=ROUNDING,
                    form=".3%",
                    words="a share of parameters that misses the printed one by",
                ),
            ]
        ),
    ),
    claim(
        "C5b",
        "Sharing makes generation 9, 15 and 42 % faster",
        "Table 3; a V100, and an engine of another kind",
        _gains("generation_gain"),
    ),
    claim(
        "C5c",
        "Sharing makes training take 14, 25 and 46 % less time",
        "Table 3; eight GPUs, with the teacher's part unknown",
        _gains("step_saving"),
    ),
    claim(
        "C5d",
        "Sharing makes generation and training faster at all on a processor",
        "follows from the operations saved",
        AllOf(
            [
                Bounded(Value(arm, f"{kind}_gain", at_least=0.0, form=".1%"))
                for arm in SPEEDS
                for kind in ("generation", "step")
            ]
        ),
        DERIVED,
    ),
)

C6_TO_C8 = (
    claim(
        "C6a",
        "At 2/5 shared, distilled and trained further, the model is better than before",
        "the headline, Table 2 at 41 %: "
        f"{mean(DISTILLED['41']):.2f} against {mean(BASE):.2f}",
        Remarked(compared("text-40-kd-continual", "text-base")),
    ),
    claim(
        "C6b",
        "At 2/5 shared, distilled and trained further, the model is better than the "
        "unshared one after the same training",
        "not in the paper",
        compared("text-40-kd-continual", "text-0-continual"),
        DERIVED,
    ),
    claim(
        "C6c",
        "At 2/5 shared the model is better on six tasks without examples",
        "Table 2",
        CannotTell(f"{ON_TASKS} {remark()}"),
    ),
    claim(
        "C7",
        "Training the unshared model further does not make it better",
        "Table 4: 36.69 to 36.15, without the task that the headline rests on",
        compared("text-base", "text-0-continual", by=EFFECT, direction="no more"),
    ),
    claim(
        "C8a",
        "A small model of 12 blocks with 4 of them shared ends near where it was",
        "Table 5, LLaMA-160m: 32.36 to 32.24",
        as_good("small-33-kd-continual", "small-base"),
    ),
    claim(
        "C8b",
        "Further training after distillation helps the small model",
        "Table 5: 31.46 to 32.24",
        Stages(
            value("small-33-kd-continual", "stage_2_gain", at_least=EFFECT, form=".3f")
        ),
    ),
    claim(
        "C8c",
        "The small model ends near the unshared one after the same training",
        "not in the paper",
        as_good("small-33-kd-continual", "small-0-continual"),
        DERIVED,
    ),
)

CLAIMS = (*C1, *C2, *C3_TO_C4, *C5, *C6_TO_C8, *ABLATIONS)

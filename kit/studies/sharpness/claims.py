"""What the paper claims, and the test that answers each claim.

Written before any run was looked at, like the differences that matter (`comparisons`).
"""

from kit.studies.claims import AllOf, CannotTell, Claim, Custom, Test, Value
from kit.studies.contrasts import Contrast
from kit.studies.sharpness.arms import ORDER
from kit.studies.sharpness.comparisons import (
    EFFECT,
    SAME,
    beats_single_rates,
    behind,
    better,
    gains,
    gap,
    in_order,
    no_worse,
)

ONE_SWAP = 0.8  # Kendall's tau of five types of which two neighbours are exchanged
MOST = 0.5  # a share of the variance
MEASURED, DERIVED = "measured by the authors", "derived here"


def _claim(
    id: str, statement: str, source: str, test: Test, by: str = MEASURED
) -> Claim:
    return Claim(id, statement, source, test, by)


IN_WORDS = " < ".join(ORDER)

CLAIMS = (
    _claim(
        "C1a",
        f"After training, sharpness has the order {IN_WORDS} in a LLaMA-type model",
        "Section 3; bars for LLaMA 0.25B",
        in_order("llama-adamw"),
    ),
    _claim(
        "C1b",
        f"A GPT-type model, whose head is tied, has the order {IN_WORDS}, too",
        "Section 3; GPT-2 small",
        in_order("gpt-adamw"),
    ),
    _claim(
        "C1c",
        f"With the other kind of head either type has the order {IN_WORDS}, too",
        "not said; GPT-2's head is tied, LLaMA's is not",
        AllOf([in_order("gpt-untied-adamw"), in_order("llama-tied-adamw")]),
        DERIVED,
    ),
    _claim(
        "C1d",
        "With 14 symbols, nearly all in every batch, the embedding is not the flattest",
        "S(Emb) goes with one over the vocabulary (Theorem 4.3)",
        Value("addition-adamw", "log_flattest_other_over_Emb", at_most=0.0),
        DERIVED,
    ),
    _claim(
        "C2a",
        "The order of the block types is not there at the start of training",
        "Fig. of GPT-2 small over time: two pairs exchanged at step 0",
        AllOf(
            [
                Value(arm, "tau_start", at_most=ONE_SWAP)
                for arm in ("llama-adamw", "gpt-adamw")
            ]
        ),
    ),
    _claim(
        "C2b",
        "The order of the block types is there after a tenth of the training at the "
        "latest, and stays",
        "there by step 1,000 of 50,000, here of far fewer",
        AllOf(
            [
                Value(arm, "tau_lowest", at_least=ONE_SWAP)
                for arm in ("llama-adamw", "gpt-adamw")
            ]
        ),
    ),
    _claim(
        "C3",
        "Sharpness goes by the type of a block and not by its depth: the type explains "
        "most of the variance of log S",
        "summary of Section 3",
        AllOf(
            [
                Value(arm, "type_share", at_least=MOST)
                for arm in ("llama-adamw", "gpt-adamw")
            ]
        ),
    ),
    _claim(
        "C4a",
        "Rates by block end at a lower loss than AdamW after as many steps (LLaMA)",
        "gaps of 0.041 to 0.091",
        better("llama-blockwise", "llama-adamw"),
    ),
    _claim(
        "C4b",
        "Rates by block end at a lower loss than AdamW for the GPT type",
        "0.049 for GPT-2 small",
        better("gpt-blockwise", "gpt-adamw"),
    ),
    _claim(
        "C4c",
        "Rates by block end at a lower loss than AdamW at its learning rate, without a "
        "search of their own",
        "the paper's recipe",
        better("llama-paper-rate", "llama-adamw"),
    ),
    _claim(
        "C4d",
        "AdamW needs twice the steps for the loss of rates by block",
        "1.9 to 2.3 times",
        gains("llama-adamw-2x", no_worse("llama-blockwise", "llama-adamw-2x")),
    ),
    _claim(
        "C4e",
        "Rates by block are more than a larger rate: no single rate, searched or 2, 4 "
        "or 6 times that, is as good",
        "not in the paper; asked of any method that only raises rates",
        Custom(beats_single_rates),
        DERIVED,
    ),
    _claim(
        "C4f",
        "The ratios of rates by block matter: the reversed ones are worse",
        "a control",
        better("llama-blockwise", "llama-reversed"),
        DERIVED,
    ),
    _claim(
        "C5a",
        "Speeding up helps with each group of flat blocks",
        "ablation of LLaMA 0.25B: 2.834, 2.818, 2.791, 2.784",
        AllOf(
            [
                better(faster, slower, EFFECT / 2)
                for slower, faster in (
                    ("llama-adamw", "llama-emb"),
                    ("llama-emb", "llama-emb-ffn"),
                    ("llama-emb-ffn", "llama-blockwise"),
                )
            ]
        ),
    ),
    _claim(
        "C5b",
        "Speeding up the norms does not help",
        "ablation: 2.837 against 2.834",
        no_worse("llama-adamw", "llama-norm", by=EFFECT / 2),
    ),
    _claim(
        "C6a",
        "Rates by block help Lion",
        "gap of 0.05",
        better("llama-lion-blockwise", "llama-lion"),
    ),
    _claim(
        "C6b",
        "Rates by block help with the WSD schedule",
        "gap of 0.042",
        better("llama-wsd-blockwise", "llama-wsd"),
    ),
    _claim(
        "C6c",
        "Rates by block help Adam-mini",
        "gaps of 0.044 and 0.047",
        CannotTell("Not tried: Keras has no Adam-mini, and nor has the kit."),
    ),
    _claim(
        "C7",
        "The gain of rates by block does not vanish with size",
        "0.25B to 2B; here from width 32 to 64",
        gains(
            "narrow-adamw",
            Contrast(
                "Loss by rates by block minus AdamW's, growth from width 32 to 64",
                gap("narrow", "llama"),
                "loss",
                SAME,
                "no more",
            ),
        ),
    ),
    _claim(
        "C8",
        "Rates by block improve seven downstream tasks",
        "LLaMA 1.1B after 50,000 steps",
        CannotTell(
            "This scale cannot tell: models of this size answer such tasks by chance."
        ),
    ),
    _claim(
        "C9",
        "Rates by block are behind at first, and still after half of the steps",
        "figures: overtaking in the second half",
        AllOf([behind("llama-blockwise", "llama-adamw", s) for s in (0.25, 0.5)]),
    ),
)

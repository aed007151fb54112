"""What the paper's ablations claim about the parts of the method, and ours beside them.

Written before any run was looked at.
"""

from functools import partial

from kit.studies.claims import AllOf, Claim, Custom, Exact, Test, Value
from kit.studies.pruning.arms import RECOVERED, SCORES, SPLITS
from kit.studies.pruning.comparisons import (
    EFFECT,
    SAME,
    AheadOfAll,
    better,
    compared,
    rank_of_alpha,
)
from kit.studies.pruning.curves import at

CODE, ABSTRACT = "an ablation of the code", "measured by the authors"
DERIVED = "derived here"
CONTROLS = ("magnitude", "random", "worst")  # scores by no activation, or turned round


def claim(
    id: str, statement: str, source: str, test: Test, by: str = ABSTRACT
) -> Claim:
    """A claim of this study."""
    return Claim(id, statement, source, test, by)


def at_each(arm: str, minus: str, by: float = EFFECT) -> AllOf:
    """The loss of an arm is lower at each sparsity of the paper's table."""
    return AllOf([better(arm, minus, sparsity, by) for sparsity in SPLITS])


ABLATIONS = (
    claim(
        "C5",
        "Cutting neurons beats cutting the columns of the stream in the feed-forward",
        "ablation; numbers unknown, and its sparsity was higher, which is mended here",
        at_each("llama-2ssp", "llama-inverted"),
        CODE,
    ),
    claim(
        "C6a",
        "L1 in place of L2 in the score changes little",
        "ablation; its result is unknown",
        compared(
            "llama-score-l1", "llama-2ssp", at("loss", 0.5), by=SAME, direction="same"
        ),
        CODE,
    ),
    claim(
        "C6b",
        "The score matters: neurons at random are worse",
        "a control",
        better("llama-2ssp", "llama-score-random", 0.5),
        DERIVED,
    ),
    claim(
        "C6c",
        "No other score of the activations is much better than L2",
        "L1 alone was compared; mean, maximum, variance and the output's norm were not",
        Custom(
            AheadOfAll(
                "llama-2ssp",
                [f"llama-score-{score}" for score in SCORES if score not in CONTROLS],
                at("loss", 0.5),
                by=SAME,
                direction="no more",
            )
        ),
        DERIVED,
    ),
    claim(
        "C7a",
        "32 calibration sequences are as good as 256",
        "ablation with 2 to 256 sequences and 5 seeds at 50 %; 32 are used",
        compared(
            "llama-sequences-32",
            "llama-sequences-256",
            at("loss", 0.5),
            by=SAME,
            direction="no more",
        ),
        CODE,
    ),
    claim(
        "C7b",
        "One calibration sequence is as good as 256",
        "ours are of 64 tokens, the paper's of 2048",
        compared(
            "llama-sequences-1",
            "llama-sequences-256",
            at("loss", 0.5),
            by=SAME,
            direction="no more",
        ),
        DERIVED,
    ),
    claim(
        "C7c",
        "Calibration data must be text: random tokens are worse",
        "a control",
        better("llama-2ssp", "llama-random-tokens", 0.5),
        DERIVED,
    ),
    claim(
        "C8a",
        "The rule's number of attentions is near the best of all (LLaMA, 8 blocks)",
        "ablation with every number; result unknown",
        AllOf(
            [Value(f"llama-split-{100 * s:g}", "regret", at_most=SAME) for s in SPLITS]
        ),
        CODE,
    ),
    claim(
        "C8b",
        "The rule's number of attentions is near the best of all in a GPT-type model "
        "of 12 blocks",
        "not tried in the paper",
        Value("gpt-split-50", "regret", at_most=SAME),
        DERIVED,
    ),
    claim(
        "C8c",
        "The rule's number of attentions is near the best of all on addition",
        "a stress test",
        Value("addition-split-50", "regret", at_most=SAME),
        DERIVED,
    ),
    claim(
        "C8d",
        "alpha = 1.5 is near the best of 0.75 to 3",
        "the code's constant; how it was found is unknown",
        Custom(
            partial(rank_of_alpha, arms=[f"llama-split-{100 * s:g}" for s in SPLITS])
        ),
        CODE,
    ),
    claim(
        "C9a",
        "Nothing is trained: the weights that stay are those of the dense model",
        "Abstract and code",
        Exact(["llama-2ssp"], "weight_change", at_most=0.0),
    ),
    claim(
        "C9b",
        "After the same short training, 2SSP is still ahead of other methods",
        "the paper has none, its competitors are mostly used with it",
        Custom(
            AheadOfAll(
                "llama-2ssp-recovered",
                [
                    f"llama-{method}-recovered"
                    for method in RECOVERED
                    if method != "2ssp"
                ],
                "recovered_loss",
            )
        ),
        DERIVED,
    ),
)

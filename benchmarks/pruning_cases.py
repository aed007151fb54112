"""What is pruned, the same for everyone who is timed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PruningCase:
    """A model, and what it is pruned with.

    Args:
        checkpoint: A name of `kit.pretrained`; `None` for a GPT of the sizes below with
            weights drawn at random.
        time: Tokens of a sequence.
        sequences: Sequences that give the scores.
        search_sequences: Sequences that judge what is removed as a whole.
        sparsity: Share of the parameters of the blocks that goes.
        cores: Numbers of cores that it is timed on.
        passes: Forward passes that are timed together.
        prompt: Tokens that generation starts from.
        generated: Tokens that it adds.
    """

    checkpoint: str | None = None
    blocks: int = 12
    width: int = 256
    heads: int = 8
    vocabulary: int = 65
    time: int = 128
    sequences: int = 32
    search_sequences: int = 16
    sparsity: float = 0.5
    cores: tuple[int, ...] = (1, 2)
    passes: int = 4
    prompt: int = 32
    generated: int = 32

    @property
    def rows(self) -> int:
        """Sequences that a peer reads at once where it has the choice, as the kit."""
        return max(1, 2048 // self.time)

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of each use of a model."""
        return {
            "forward": self.passes * self.search_sequences * self.time,
            "generate": self.generated,
        }


SPARSITIES = (0.0, 0.25, 0.375, 0.5)
FASTER, MEMORY = 1.8, 1.5
"""What we want: so much faster than PyTorch, with so much of a forward's memory."""

GPT = PruningCase()
SMOLLM2 = PruningCase(
    "smollm2",
    time=192,
    sequences=16,
    search_sequences=1,
    sparsity=0.375,
    cores=(2,),
    passes=8,
)
PRUNING = {"prune-gpt-12": GPT, "prune-smollm2": SMOLLM2}
PRUNED = {"pruned-gpt-12": GPT, "pruned-smollm2": SMOLLM2}

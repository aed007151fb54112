"""Which models share attention maps, and what is done with them, for all peers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SharingCase:
    """A model, and how much work of each use is timed.

    Args:
        checkpoint: A name of `kit.pretrained`; `None` for a GPT of the sizes below with
            weights drawn at random.
        time: Tokens of a sequence.
        sequences: Sequences of a forward pass.
        batch: Sequences of a training step.
        steps: Training steps that are timed at a time.
        prompt: Tokens that generation starts from.
        generated: Tokens that it adds.
        cores: Numbers of cores that it is timed on.
        all_train: Whether all models of both sides are trained in turns: ten of them,
            with their optimizers, may not fit into memory.
    """

    checkpoint: str | None = None
    blocks: int = 22
    width: int = 128
    head_dim: int = 32
    vocabulary: int = 65
    time: int = 128
    sequences: int = 16
    batch: int = 4
    steps: int = 8
    prompt: int = 32
    generated: int = 64
    cores: tuple[int, ...] = (1, 2)
    all_train: bool = True

    @property
    def heads(self) -> int:
        """Heads of an attention."""
        return self.width // self.head_dim

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of each use of a model."""
        return {
            "forward": self.sequences * self.time,
            "generate": self.generated,
            "train": self.steps * self.batch * self.time,
        }


RATES = (0.23, 0.41, 0.77)
"""Shares of the blocks that copy: of 22 blocks 5, 9 and 17, as in the paper."""

MODELS = ("0", *map(str, RATES), "fused")
"""Nothing copied, some copied, and nothing copied with the fused kernel."""

PAPER = {
    "generate": {0.23: 1.09, 0.41: 1.15, 0.77: 1.42},
    "train": {0.23: 1 / 0.86, 0.41: 1 / 0.75, 0.77: 1 / 0.54},
}
"""Speed beside nothing copied, on a GPU with TinyLlama-1.1B: 2409.14595, table 3."""

SMOLLM2 = SharingCase(
    "smollm2",
    time=192,
    sequences=4,
    batch=1,
    steps=1,
    generated=32,
    cores=(2,),
    all_train=False,
)
SHARING = {
    "shared-128": SharingCase(),
    "shared-256": SharingCase(width=256, steps=4, cores=(2,)),
    "shared-512": SharingCase(width=512, steps=1, cores=(2,), all_train=False),
    "shared-smollm2": SMOLLM2,
}

"""The same model and steps in plain PyTorch, eager and compiled.

Fused AdamW and clipping over all parameters at once: its best.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.cases import CLIP_NORM, OPTIMIZER, Case
from benchmarks.peers.torch_blocks import BLOCKS, initialise


class GPT(nn.Module):
    """Tokens in, logits out."""

    def __init__(self, case: Case):
        super().__init__()
        self.embedding = nn.Embedding(case.vocabulary, case.width)
        self.positions = nn.Embedding(case.context, case.width)
        self.blocks = nn.ModuleList(
            BLOCKS[case.block](case, index) for index in range(case.blocks)
        )
        self.final_norm = nn.LayerNorm(case.width)
        initialise(self)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return F.linear(self.final_norm(x), self.embedding.weight)


def prepare(case: Case, compiled: bool) -> dict[str, Callable[[], object]]:
    """Build everything; the returned functions take all steps of the case."""
    model = GPT(case)
    optimizer = make_optimizer(model)
    inputs, targets = (torch.from_numpy(part).long() for part in case.batches())

    def loss_of(tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    logits_of = model
    if compiled:
        loss_of, logits_of = torch.compile(loss_of), torch.compile(model)

    def train() -> None:
        for batch in zip(inputs, targets, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(*batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
        loss.item()

    @torch.inference_mode()
    def forward() -> torch.Tensor:
        return torch.cat([logits_of(tokens) for tokens in inputs])

    return {"train": train, "forward": forward}


def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Fused AdamW, in which matrices decay."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": OPTIMIZER["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=OPTIMIZER["learning_rate"],
        betas=OPTIMIZER["betas"],
        fused=True,
    )


def count_parameters(case: Case) -> int:
    """Parameters of the peer's model."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in GPT(case).parameters())

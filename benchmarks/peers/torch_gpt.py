"""The same model and training step in plain PyTorch, eager and compiled.

Fused attention, fused AdamW and clipping over all parameters at once: its best.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.cases import CLIP_NORM, OPTIMIZER, STEPS, Case


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a skip."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        parts = self.query_key_value(self.attention_norm(x)).split(width, dim=2)
        query, key, value = (
            part.view(batch, time, self.heads, -1).transpose(1, 2) for part in parts
        )
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.output(mixed.transpose(1, 2).reshape(batch, time, width))
        hidden = F.gelu(self.up(self.feed_forward_norm(x)), approximate="tanh")
        return x + self.down(hidden)


class GPT(nn.Module):
    """Tokens and targets in, mean loss out."""

    def __init__(self, case: Case):
        super().__init__()
        self.embedding = nn.Embedding(case.vocabulary, case.width)
        self.positions = nn.Embedding(case.context, case.width)
        self.blocks = nn.ModuleList(
            Block(case.width, case.heads) for _ in range(case.blocks)
        )
        self.final_norm = nn.LayerNorm(case.width)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.final_norm(x), self.embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def prepare(name: str, case: Case, compiled: bool) -> Callable[[], None]:
    """Build everything; the returned function runs some training steps."""
    model = GPT(case)
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": OPTIMIZER["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=OPTIMIZER["learning_rate"],
        betas=OPTIMIZER["betas"],
        fused=True,
    )
    data = [torch.from_numpy(part).long() for part in case.batches(STEPS[name])]
    loss_of = torch.compile(model) if compiled else model

    def steps() -> None:
        for tokens, targets in zip(*data, strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(tokens, targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
        loss.item()

    return steps


def count_parameters(case: Case) -> int:
    """Parameters of the peer's model."""
    return sum(parameter.numel() for parameter in GPT(case).parameters())

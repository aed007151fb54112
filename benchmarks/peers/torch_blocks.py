"""Blocks in plain PyTorch: Pre-LN and the simplified ones of 2311.01906.

Pre-LN has PyTorch's fused attention. A shaped map is written as the paper does, with
identity and centre made once.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.cases import Case


class FeedForward(nn.Module):
    """Two matrices with a GELU between."""

    def __init__(self, width: int):
        super().__init__()
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x), approximate="tanh"))


class Attention(nn.Module):
    """Fused causal attention."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            split_heads(part, self.heads)
            for part in self.query_key_value(x).chunk(3, dim=2)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(merge_heads(mixed))


class FirstValue(nn.Module):
    """The value matrix of the first block: alpha I + beta dW, where dW starts at 0."""

    def __init__(self, width: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))
        self.beta = nn.Parameter(torch.ones(()))
        self.update = nn.Parameter(torch.zeros(width, width))
        self.register_buffer("identity", torch.eye(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.alpha * self.identity + self.beta * self.update)


class ShapedAttention(nn.Module):
    """alpha I + beta A - gamma C for each head, without value and output matrices."""

    def __init__(self, width: int, heads: int, context: int, first: bool):
        super().__init__()
        self.heads = heads
        self.query_key = nn.Linear(width, 2 * width, bias=False)
        self.value = FirstValue(width) if first else nn.Identity()
        self.alpha = nn.Parameter(torch.ones(heads))
        self.beta = nn.Parameter(torch.ones(heads))
        self.gamma = nn.Parameter(torch.ones(heads))
        visible = torch.ones(context, context).tril()
        self.register_buffer("identity", torch.eye(context))
        self.register_buffer("future", visible == 0)
        self.register_buffer("centre", visible / visible.sum(dim=1, keepdim=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key = (
            split_heads(part, self.heads) for part in self.query_key(x).chunk(2, dim=2)
        )
        value = split_heads(self.value(x), self.heads)
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        attention_map = scores.masked_fill(self.future, -math.inf).softmax(dim=3)
        alpha, beta, gamma = (
            gain[:, None, None] for gain in (self.alpha, self.beta, self.gamma)
        )
        fixed = alpha * self.identity - gamma * self.centre
        return merge_heads((beta * attention_map + fixed) @ value)


class PreLN(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a skip."""

    def __init__(self, case: Case, index: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(case.width)
        self.attention = Attention(case.width, case.heads)
        self.feed_forward_norm = nn.LayerNorm(case.width)
        self.feed_forward = FeedForward(case.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class Simplified(nn.Module):
    """Shaped attention, a feed-forward and the gains of both."""

    def __init__(self, case: Case, index: int):
        super().__init__()
        self.attention = ShapedAttention(
            case.width, case.heads, case.context, first=index == 0
        )
        self.feed_forward = FeedForward(case.width)
        self.attention_gain = nn.Parameter(torch.tensor(1.0))
        self.feed_forward_gain = nn.Parameter(
            torch.tensor(0.1 * math.sqrt(18 / case.blocks))
        )


class SAS(Simplified):
    """No skip around attention, and a trained one around the feed-forward."""

    def __init__(self, case: Case, index: int):
        super().__init__(case, index)
        self.attention_norm = nn.LayerNorm(case.width)
        self.feed_forward_norm = nn.LayerNorm(case.width)
        self.feed_forward_skip = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.attention_gain * self.attention(self.attention_norm(x))
        branch = self.feed_forward(self.feed_forward_norm(x))
        return self.feed_forward_skip * x + self.feed_forward_gain * branch


class SASP(Simplified):
    """Attention and feed-forward side by side, without any skip."""

    def __init__(self, case: Case, index: int):
        super().__init__(case, index)
        self.norm = nn.LayerNorm(case.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        attended = self.attention_gain * self.attention(y)
        return attended + self.feed_forward_gain * self.feed_forward(y)


class SASPNoNorm(SASP):
    """The same, and only the first block has a norm."""

    def __init__(self, case: Case, index: int):
        super().__init__(case, index)
        if index > 0:
            self.norm = nn.Identity()


BLOCKS = {"pre-ln": PreLN, "sas": SAS, "sas-p": SASP, "sas-p-no-norm": SASPNoNorm}


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, time, width) to (batch, heads, time, head width)."""
    batch, time, _ = x.shape
    return x.view(batch, time, heads, -1).transpose(1, 2)


def merge_heads(x: torch.Tensor) -> torch.Tensor:
    """(batch, heads, time, head width) to (batch, time, width)."""
    return x.transpose(1, 2).flatten(2)


def initialise(model: nn.Module) -> None:
    """Matrices from a normal distribution; queries and updates of zero, as they say."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    for module in model.modules():
        if isinstance(module, ShapedAttention):
            query, _ = module.query_key.weight.data.chunk(2)
            query.zero_()

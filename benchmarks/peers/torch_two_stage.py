"""2SSP (2501.17771) in plain PyTorch: hooks, cuts in place, and whole passes.

Written from the description of the method, as one would do it first: scores from hooks
in front of the output matrices, then a pass through the whole model for each attention
that could go. What costs nothing to do well is done well: fused attention, scores that
are summed up instead of stored, as many sequences at once as in the kit.
"""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ALPHA = 1.5
IGNORED = -1


class FeedForward(nn.Module):
    """A GELU between two matrices, or SwiGLU where there is a gate."""

    def __init__(self, weights: dict[str, torch.Tensor]):
        super().__init__()
        self.up = linear(weights["up"].T)
        self.gate = linear(weights["gate"].T) if "gate" in weights else None
        self.down = linear(weights["down"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.gate is None:
            return self.down(F.gelu(self.up(x), approximate="tanh"))
        return self.down(F.silu(self.gate(x)) * self.up(x))

    def keep(self, neurons: torch.Tensor) -> None:
        """Cut out all other neurons."""
        for rows in (self.up, self.gate):
            if rows is not None:
                rows.weight = nn.Parameter(rows.weight[neurons])
        self.down.weight = nn.Parameter(self.down.weight[:, neurons].contiguous())


class Attention(nn.Module):
    """Fused causal attention with grouped heads, and rotary positions if given."""

    def __init__(self, weights: dict[str, torch.Tensor], about: dict[str, Any]):
        super().__init__()
        self.heads, self.key_heads = about["heads"], about["key_value_heads"]
        for name in ("query", "key", "value", "output"):
            setattr(self, name, linear(weights[name].T))
        self.rotary_base = about["rotary_base"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, _ = x.shape
        query, key, value = (
            part(x).view(batch, time, heads, -1).transpose(1, 2)
            for part, heads in (
                (self.query, self.heads),
                (self.key, self.key_heads),
                (self.value, self.key_heads),
            )
        )
        if self.rotary_base is not None:
            query, key = self._turn(query), self._turn(key)
        if self.heads > self.key_heads:
            groups = self.heads // self.key_heads
            key, value = (part.repeat_interleave(groups, 1) for part in (key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _turn(self, x: torch.Tensor) -> torch.Tensor:
        time, width = x.shape[-2:]
        frequency = self.rotary_base ** (-torch.arange(0, width, 2) / width)
        angle = torch.outer(torch.arange(time), frequency)
        cosine, sine = angle.cos(), angle.sin()
        first, second = x.chunk(2, dim=-1)
        return torch.cat(
            [first * cosine - second * sine, second * cosine + first * sine], dim=-1
        )


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a skip."""

    def __init__(self, weights: dict[str, dict], about: dict[str, Any]):
        super().__init__()
        self.attention_norm = norm(weights["norm_0"], about)
        self.attention = Attention(weights["attention"], about)
        self.feed_forward_norm = norm(weights["norm_1"], about)
        self.feed_forward = FeedForward(weights["feed_forward"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.attention is not None:
            x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class GPT(nn.Module):
    """Tokens in, logits out; the weights are those of a kit model, by their names."""

    def __init__(self, weights: dict[str, Any], about: dict[str, Any]):
        super().__init__()
        self.embedding = nn.Parameter(weights["embedding"]["embeddings"])
        table = weights.get("positions", {}).get("table")
        self.positions = None if table is None else nn.Parameter(table)
        self.blocks = nn.ModuleList(
            Block(weights[f"block_{index}"], about) for index in range(about["blocks"])
        )
        self.final_norm = norm(weights["final_norm"], about)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = F.embedding(tokens, self.embedding)
        if self.positions is not None:
            x = x + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.final_norm(x), self.embedding)


def linear(weight: torch.Tensor) -> nn.Linear:
    """A linear map with this (out, in) weight."""
    layer = nn.Linear(1, 1, bias=False)
    layer.weight = nn.Parameter(weight.contiguous())
    return layer


def norm(weights: dict[str, torch.Tensor], about: dict[str, Any]) -> nn.Module:
    """RMSNorm where there is a scale, else LayerNorm."""
    epsilon = about["epsilon"]
    if "scale" in weights:
        layer = nn.RMSNorm(len(weights["scale"]), eps=epsilon)
        layer.weight = nn.Parameter(weights["scale"])
        return layer
    layer = nn.LayerNorm(len(weights["gamma"]), eps=epsilon)
    layer.weight = nn.Parameter(weights["gamma"])
    layer.bias = nn.Parameter(weights["beta"])
    return layer


def allocate(model: GPT, sparsity: float) -> tuple[int, int]:
    """Attentions to remove and neurons to keep, by the paper's closed rule."""
    block, num_blocks = model.blocks[0], len(model.blocks)
    attention, feed_forward, total = (
        sum(parameter.numel() for parameter in part.parameters())
        for part in (block.attention, block.feed_forward, model.blocks)
    )
    removed = round(num_blocks * sparsity ** (feed_forward / attention / ALPHA))
    each = round((round(sparsity * total) - removed * attention) / num_blocks)
    neurons = block.feed_forward.down.weight.shape[1]
    return removed, round(neurons * (1 - each / feed_forward))


def neuron_scores(model: GPT, batches: list[torch.Tensor]) -> list[torch.Tensor]:
    """L2 norm over the tokens, summed over the sequences, for each block."""
    scores: list[Any] = [0.0] * len(model.blocks)

    def watch(index: int) -> Callable:
        def add(_: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            scores[index] = scores[index] + inputs[0].norm(dim=1).sum(dim=0)

        return add

    hooks = [
        block.feed_forward.down.register_forward_pre_hook(watch(index))
        for index, block in enumerate(model.blocks)
    ]
    for tokens in batches:
        model(tokens)
    for hook in hooks:
        hook.remove()
    return scores


def perplexity(model: GPT, tokens: torch.Tensor, targets: torch.Tensor) -> float:
    """exp of the mean negative log-likelihood of the next token."""
    logits = model(tokens).flatten(0, 1)
    loss = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED)
    return math.exp(loss.item())


@torch.inference_mode()
def two_stage(
    dense: GPT, batches: list[torch.Tensor], search: torch.Tensor, sparsity: float
) -> tuple[GPT, dict[str, Any]]:
    """A smaller model, and what went from the dense one.

    Args:
        dense: Is not changed.
        batches: Tokens (rows, time) that give the scores.
        search: Tokens (rows, time) that judge the attentions.
        sparsity: Share of the parameters of the blocks to remove.
    """
    model = copy.deepcopy(dense)
    num_attentions, num_neurons = allocate(model, sparsity)
    kept = [
        s.topk(num_neurons).indices.sort().values for s in neuron_scores(model, batches)
    ]
    for block, neurons in zip(model.blocks, kept, strict=True):
        block.feed_forward.keep(neurons)
    targets = torch.full_like(search, IGNORED)
    targets[:, :-1] = search[:, 1:]
    removed: list[int] = []
    perplexities: list[float] = []
    passes = 0
    for _ in range(num_attentions):
        lowest, best = math.inf, -1
        for index, block in enumerate(model.blocks):
            if block.attention is None:
                continue
            attention, block.attention = block.attention, None
            found = perplexity(model, search, targets)
            block.attention = attention
            passes += 1
            if found < lowest:
                lowest, best = found, index
        model.blocks[best].attention = None
        removed.append(best)
        perplexities.append(lowest)
    sequences = sum(map(len, batches)) + passes * len(search)
    return model, {
        "neurons": [neurons.tolist() for neurons in kept],
        "parts": removed,
        "perplexities": perplexities,
        "candidates": passes,
        "block_evaluations": sequences * len(model.blocks),
    }


def read_weights(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights of a model that the kit wrote there, by name, and its sizes."""
    weights: dict[str, Any] = {}
    with np.load(folder / "weights.npz") as arrays:
        for name in arrays.files:
            *path, last = name.split("/")
            place = weights
            for part in path:
                place = place.setdefault(part, {})
            place[last] = torch.from_numpy(arrays[name])
    return weights, json.loads((folder / "about.json").read_text("utf-8"))


def read(folder: Path) -> tuple[GPT, torch.Tensor]:
    """The model and the tokens (sequences, time) that the kit wrote there."""
    tokens = torch.from_numpy(np.load(folder / "tokens.npy")).long()
    return GPT(*read_weights(folder)), tokens


def prepare(case: Any, folder: Path) -> dict[str, tuple[Callable, Callable]]:
    """Read everything; the returned functions warm up and prune."""
    model, tokens = read(folder)
    batches = list(tokens[: case.sequences].split(case.rows))
    search = tokens[: case.search_sequences]

    def prune() -> dict[str, Any]:
        return two_stage(model, batches, search, case.sparsity)[1]

    @torch.inference_mode()
    def warm() -> None:
        model(search)

    return {"prune": (warm, prune)}

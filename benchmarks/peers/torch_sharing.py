"""Blocks that copy attention maps (2409.14595) in plain PyTorch.

Where nothing is copied, the map can stay inside PyTorch's fused attention; a map that
others copy is written out. Keys and values of what was read are kept in one tensor of
the whole length.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.cases import CLIP_NORM
from benchmarks.peers.torch_gpt import make_optimizer
from benchmarks.peers.torch_two_stage import FeedForward, linear, norm, read_weights
from benchmarks.sharing_cases import SharingCase

Cache = dict[str, torch.Tensor]


class Attention(nn.Module):
    """Causal attention with grouped heads, and rotary positions if given.

    Args:
        weights: By name; a block that copies uses `value` and `output` alone.
        about: Sizes, as the kit wrote them.
        copies: Whether the map is that of another block.
        fused: Whether to leave the map to PyTorch.
    """

    def __init__(self, weights: dict, about: dict[str, Any], copies: bool, fused: bool):
        super().__init__()
        self.heads, self.key_heads = about["heads"], about["key_value_heads"]
        self.rotary_base, self.copies, self.fused = about["rotary_base"], copies, fused
        names = ("value", "output") if copies else ("query", "key", "value", "output")
        for name in names:
            setattr(self, name, linear(weights[name].T))

    def forward(
        self, x: torch.Tensor, shared: Any, cache: Cache | None, start: int
    ) -> tuple[torch.Tensor, Any]:
        value = self._keep(cache, "value", self._split(self.value(x)), start)
        if self.copies:
            return self._output(shared @ self._grouped(value)), shared
        query = self._turn(self._split(self.query(x)), start)
        key = self._turn(self._split(self.key(x)), start)
        key = self._grouped(self._keep(cache, "key", key, start))
        value = self._grouped(value)
        if self.fused:
            causal = x.shape[1] > 1
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
            return self._output(mixed), None
        scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
        if x.shape[1] > 1:
            visible = torch.ones(scores.shape[2:], dtype=torch.bool).tril()
            scores = scores.masked_fill(~visible, -torch.inf)
        attention_map = scores.softmax(dim=3)
        return self._output(attention_map @ value), attention_map

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, columns = x.shape
        head_dim = self.output.weight.shape[1] // self.heads
        return x.view(batch, time, columns // head_dim, head_dim).transpose(1, 2)

    def _grouped(self, x: torch.Tensor) -> torch.Tensor:
        groups = self.heads // x.shape[1]
        return x.repeat_interleave(groups, 1) if groups > 1 else x

    def _keep(
        self, cache: Cache | None, name: str, x: torch.Tensor, start: int
    ) -> torch.Tensor:
        """All keys or values so far; new ones are noted in the cache."""
        if cache is None:
            return x
        end = start + x.shape[2]
        if name not in cache:
            cache[name] = x.new_zeros(*x.shape[:2], cache["length"], x.shape[3])
        cache[name][:, :, start:end] = x
        return cache[name][:, :, :end]

    def _turn(self, x: torch.Tensor, start: int) -> torch.Tensor:
        if self.rotary_base is None:
            return x
        time, width = x.shape[-2:]
        frequency = self.rotary_base ** (-torch.arange(0, width, 2) / width)
        angle = torch.outer(torch.arange(start, start + time), frequency)
        cosine, sine = angle.cos(), angle.sin()
        first, second = x.chunk(2, dim=-1)
        return torch.cat(
            [first * cosine - second * sine, second * cosine + first * sine], dim=-1
        )

    def _output(self, mixed: torch.Tensor) -> torch.Tensor:
        return self.output(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a skip."""

    def __init__(self, weights: dict, about: dict[str, Any], copies: bool, fused: bool):
        super().__init__()
        self.attention_norm = norm(weights["norm_0"], about)
        self.attention = Attention(weights["attention"], about, copies, fused)
        self.feed_forward_norm = norm(weights["norm_1"], about)
        self.feed_forward = FeedForward(weights["feed_forward"])

    def forward(
        self, x: torch.Tensor, shared: Any, cache: Any, start: int
    ) -> tuple[torch.Tensor, Any]:
        y, attention_map = self.attention(self.attention_norm(x), shared, cache, start)
        x = x + y
        return x + self.feed_forward(self.feed_forward_norm(x)), attention_map


class GPT(nn.Module):
    """Tokens in, logits out; the weights are those of a kit model, by their names.

    Args:
        weights: Of the model before anything is shared.
        about: Its sizes.
        copies: Block to the block whose map it copies.
        fused: Whether maps stay inside PyTorch.
    """

    def __init__(
        self,
        weights: dict[str, Any],
        about: dict[str, Any],
        copies: dict[int, int],
        fused: bool,
    ):
        super().__init__()
        self.embedding = nn.Parameter(weights["embedding"]["embeddings"])
        table = weights.get("positions", {}).get("table")
        self.positions = None if table is None else nn.Parameter(table)
        self.copies = copies
        self.blocks = nn.ModuleList(
            Block(weights[f"block_{index}"], about, index in copies, fused)
            for index in range(about["blocks"])
        )
        self.final_norm = norm(weights["final_norm"], about)

    def forward(
        self, tokens: torch.Tensor, caches: list[Any] | None = None, start: int = 0
    ) -> torch.Tensor:
        x = F.embedding(tokens, self.embedding)
        if self.positions is not None:
            x = x + self.positions[start : start + tokens.shape[1]]
        maps: dict[int, Any] = {}
        for index, block in enumerate(self.blocks):
            cache = None if caches is None else caches[index]
            shared = maps.get(self.copies.get(index, -1))
            x, found = block(x, shared, cache, start)
            if index in self.copies.values():
                maps[index] = found
        x = self.final_norm(x if caches is None else x[:, -1:])
        return F.linear(x, self.embedding)


@torch.inference_mode()
def generate(model: GPT, tokens: torch.Tensor, steps: int) -> torch.Tensor:
    """Continue (batch, time) tokens by the likeliest ones."""
    caches = [{"length": tokens.shape[1] + steps} for _ in model.blocks]
    piece, start = tokens, 0
    for _ in range(steps):
        logits = model(piece, caches, start)
        start = tokens.shape[1]
        piece = logits[:, -1].argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, piece], dim=1)
    return tokens


def read(folder: Path, name: str) -> tuple[GPT, torch.Tensor]:
    """One of `sharing_cases.MODELS`, and the tokens that the kit wrote there."""
    copied = json.loads((folder / "copies.json").read_text("utf-8")).get(name, {})
    copies = {int(block): source for block, source in copied.items()}
    weights, about = read_weights(folder)
    tokens = torch.from_numpy(np.load(folder / "tokens.npy")).long()
    return GPT(weights, about, copies, fused=name == "fused"), tokens


def prepare(
    case: SharingCase, name: str, use: str, folder: Path
) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """As `benchmarks.kit_sharing.prepare`."""
    model, tokens = read(folder, name)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    optimizer = make_optimizer(model) if use == "train" else None

    def train() -> None:
        rows = case.steps * case.batch
        pieces = (part[:rows].split(case.batch) for part in (inputs, targets))
        for read_now, next_ones in zip(*pieces, strict=True):
            optimizer.zero_grad(set_to_none=True)
            logits = model(read_now)
            F.cross_entropy(logits.flatten(0, 1), next_ones.flatten()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()

    @torch.inference_mode()
    def logits_of(rows: int) -> np.ndarray:
        return model(inputs[:rows]).numpy()

    prompt = inputs[:1, : case.prompt]
    uses: dict[str, Callable[[], Any]] = {
        "forward": lambda: logits_of(case.sequences),
        "generate": lambda: generate(model, prompt, case.generated),
        "train": train,
    }
    return {}, {use: uses[use], "logits": lambda: logits_of(1)}

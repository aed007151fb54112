"""The text that pruning looks at, checked before anything is done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kit.checks import whole
from kit.config import ModelConfig
from kit.data import IGNORED, Batch
from kit.errors import KitError, known
from kit.pruning.adapters import Prunable
from kit.pruning.outline import Outline
from kit.pruning.pieces import Pieces
from kit.pruning.scores import Activity, measure

POSITIONS = ("all", "targets")
TOKENS_AT_ONCE = 2**11  # one sequence of the paper: its maps are large enough


@dataclass(frozen=True)
class Calibration:
    """Calibration data, and how much of them is used for what.

    Args:
        data: Token ids (sequences, time) for a causal model, which then predicts each
            next token but padding; or a `Batch` of inputs and targets for any model.
        sequences: How many of them, from the first on, give the scores (paper: 32).
        search_sequences: How many of them judge what is removed as a whole (paper: 1,
            of 2048 tokens; take more where sequences are short).
        positions: Which tokens give the scores: `"all"` but padding (the paper), or
            those with `"targets"`, such as the digits of an answer.

    Raises:
        KitError: The data are no whole numbers, or there are too few of them.

    Example:
        >>> Calibration(np.zeros((32, 12), "int32")).search_batch.targets.shape
        (1, 12)
    """

    data: Any
    sequences: int = 32
    search_sequences: int = 1
    positions: str = "all"

    def __post_init__(self) -> None:
        known("positions", self.positions, POSITIONS)
        try:
            batch = self.batch
        except ValueError as error:
            raise KitError(
                f"the calibration data are no array: {error}",
                "Give sequences of one length",
            ) from None
        for name in ("inputs", "targets"):
            array = getattr(batch, name)
            if array.ndim != 2 or not array.size:
                raise KitError(
                    f"the calibration {name} have shape {array.shape}, expected "
                    "(sequences >= 1, time >= 1)",
                    "Give some sequences of tokens",
                )
            if array.dtype.kind not in "iu":
                held = "NaN" if _holds_nan(array) else f"{array.dtype} numbers"
                raise KitError(
                    f"the calibration {name} hold {held}, expected whole numbers",
                    "Give token ids, encoded as for training",
                )
        if batch.inputs.shape != batch.targets.shape:
            raise KitError(
                f"the calibration inputs have shape {batch.inputs.shape} and the "
                f"targets {batch.targets.shape}",
                "Give one target for each token",
            )
        count = len(batch.inputs)
        for name in ("sequences", "search_sequences"):
            if whole(name, getattr(self, name)) > count:
                raise KitError(
                    f"the calibration data have {count} sequences, fewer than "
                    f"{name}={getattr(self, name)}",
                    f"Give more data, or Calibration(data, {name}={count})",
                )

    @classmethod
    def of(cls, data: Any) -> "Calibration":
        """A `Calibration` as it is, and anything else as the data of one."""
        return data if isinstance(data, cls) else cls(data)

    @property
    def batch(self) -> Batch:
        """All of the data, with targets."""
        if isinstance(self.data, Batch):
            return Batch(*map(np.asarray, self.data))
        tokens = np.asarray(self.data)
        if tokens.ndim != 2:
            return Batch(tokens, tokens)  # refused above
        targets = np.full_like(tokens, 0)
        targets[:, :-1] = tokens[:, 1:]
        return Batch(tokens, _with_ignored_end(targets))

    @property
    def search_batch(self) -> Batch:
        """The first sequences: what is removed as a whole is judged on them."""
        return Batch(*(array[: self.search_sequences] for array in self.batch))

    def without_padding(self, padding_id: int | None) -> "Calibration":
        """The same, where no model is asked to predict padding, or from padding.

        What to predict in a `Batch` is for the user to say, and stays.

        Example:
            >>> padded = Calibration([[3, 4, 5, 0, 0]], sequences=1)
            >>> padded.without_padding(0).search_batch.targets
            array([[ 4,  5, -1, -1, -1]])
        """
        if padding_id is None or isinstance(self.data, Batch):
            return self
        inputs, targets = self.batch
        padding = (inputs == padding_id) | (targets == padding_id)
        return replace(self, data=Batch(inputs, np.where(padding, IGNORED, targets)))

    def check(self, config: ModelConfig | Outline) -> None:
        """Raise a `KitError` where data and model do not go together."""
        outline = Outline.of(config)
        inputs, targets = self.batch
        time, longest = inputs.shape[1], outline.context_length
        if outline.mask != "causal" and not isinstance(self.data, Batch):
            raise KitError(
                f'with mask="{outline.mask}" the model sees the next token, so it '
                "cannot be judged by predicting it",
                "Give a Batch of inputs and targets, such as task.batch(...)",
            )
        for name, array, least, vocabulary in (
            ("inputs", inputs, 0, outline.vocabulary_size),
            ("targets", targets, IGNORED, outline.num_classes),
        ):
            for token in (array.min(), array.max()):
                if not least <= token < vocabulary:
                    raise KitError(
                        f"the calibration {name} hold token {token}, which is outside "
                        f"the model's vocabulary of {vocabulary}",
                        "Encode them with the tokenizer of the model",
                    )
        if longest is not None and time > longest:
            raise KitError(
                f"the calibration sequences have {time} tokens, more than the model's "
                f"context_length={longest}",
                "Cut them into shorter sequences",
            )
        searched = self.without_padding(outline.padding_id).search_batch
        if not (searched.targets != IGNORED).any():
            raise KitError(
                f"there is nothing to predict in the first {self.search_sequences} "
                f"calibration sequences of {time} tokens",
                "Give longer sequences, or more search_sequences",
            )
        if not self._kept(outline.padding_id).any():
            raise KitError(
                f"no token of the first {self.sequences} calibration sequences counts "
                f'with positions="{self.positions}"',
                'Give sequences that are not padding, or use positions="all"',
            )

    def chunks(self, config: ModelConfig | Outline) -> Iterator[tuple[np.ndarray, ...]]:
        """Tokens (rows, time) and which of them count, a piece at a time."""
        kept = self._kept(config.padding_id)
        yield from in_chunks(self.batch.inputs[: self.sequences], kept)

    def _kept(self, padding_id: int | None) -> np.ndarray:
        inputs, targets = (array[: self.sequences] for array in self.batch)
        if self.positions == "targets":
            return targets != IGNORED
        return inputs != (-1 if padding_id is None else padding_id)


def in_chunks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """The same rows of some arrays (rows, time), some at once: as few as hold
    `TOKENS_AT_ONCE` tokens, so that these are not split."""
    rows = -(-TOKENS_AT_ONCE // arrays[0].shape[1])
    for start in range(0, len(arrays[0]), rows):
        yield tuple(array[start : start + rows] for array in arrays)


def activities(
    pieces: Pieces,
    calibration: Calibration,
    first: Callable[[Any], None] | None = None,
) -> dict[int, Activity]:
    """The activity of every feed-forward on the calibration data.

    One pass over the data; what is held at a time is the stream of one chunk and the
    hidden states of one block, however much data there are.

    Args:
        pieces: Of the model.
        calibration: What it reads.
        first: Called with the stream after the blocks of the first chunk: who judges
            these sequences need not run them again.

    Returns:
        Block to activity, for each block with a feed-forward.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> data = Calibration(np.zeros((3, 12), "int32"), sequences=3)
        >>> found = activities(Pieces(build(config)), data)
        >>> found[1].norms.shape, float(found[1].tokens)
        ((256,), 36.0)
    """
    config = pieces.model.config
    found: dict[int, Activity] = {}
    for tokens, kept in calibration.chunks(config):
        kept = kept.astype("float32")
        x, bias = pieces.embed(tokens)
        for index, block in enumerate(config.blocks):
            if block.feed_forward is None:
                x = pieces.block(index, block, x, bias)
                continue
            x, measured = pieces.block(index, block, x, bias, measure, kept)
            here = Activity.from_tensors(measured)
            found[index] = found[index] + here if index in found else here
        if first is not None:
            first(x)
            first = None
    return found


def whole_activities(
    model: Prunable,
    calibration: Calibration,
    progress: Callable[[int], None] | None = None,
) -> dict[int, Activity]:
    """The same of any model that tells its hidden states; those of all blocks on one
    chunk are held at a time.

    Args:
        model: It is not changed.
        calibration: What it reads.
        progress: Called with the number of sequences times that of blocks.
    """
    found: dict[int, Activity] = {}
    for tokens, kept in calibration.chunks(model.config):
        for index, hidden in model.hidden(tokens).items():
            here = Activity.of(hidden, kept.astype("float32"))
            found[index] = found[index] + here if index in found else here
        if progress is not None:
            progress(len(tokens) * len(model.config.blocks))
    return found


def _with_ignored_end(targets: np.ndarray) -> np.ndarray:
    """The last token of a sequence has no next one."""
    if targets.dtype.kind in "iu":
        targets = targets.astype("int64")
        targets[:, -1:] = IGNORED
    return targets


def _holds_nan(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and bool(np.isnan(array).any())

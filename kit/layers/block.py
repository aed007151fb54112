"""A block is a short list of sub-blocks; each adds its branches to a skip."""

from typing import Any

import keras

from kit.layers.gains import Gain, TrainedGain, build_gains, deserialized, times
from kit.layers.taps import tap

PARTS = (
    "attention",
    "feed_forward",
    "norm",
    "skip",
    "attention_gain",
    "feed_forward_gain",
)


@keras.saving.register_keras_serializable(package="kit")
class SubBlock(keras.layers.Layer):
    """A skip and the branches beside it, with one norm.

        pre:   x -> skip * x + sum of gain * branch(norm(x))
        post:  x -> norm(skip * x + sum of gain * branch(x))

    With `skip=0` the skip is absent: nothing is multiplied or added. A gain is a
    number or a `TrainedGain`.

    Args:
        attention: An attention layer, or `None`.
        feed_forward: A feed-forward layer, or `None`.
        norm: A norm layer, or `None`.
        norm_position: `"pre"` or `"post"`.
        skip: Gain of the skip.
        dropout: Rate on each branch output.
        attention_gain: Gain of the attention's output.
        feed_forward_gain: Gain of the feed-forward's output.

    Call arguments:
        x: (batch, time, width).
        bias, cache, start, shared: Handed to the attention.

    Returns:
        (batch, time, width).

    Example:
        >>> import numpy as np
        >>> double = keras.layers.Lambda(lambda x: 2 * x)
        >>> sub_block = SubBlock(feed_forward=double, skip=0.5)  # 0.5 x + 2 x
        >>> np.ravel(sub_block(np.ones((1, 1, 2), "float32"))).tolist()
        [2.5, 2.5]
    """

    def __init__(
        self,
        attention: keras.layers.Layer | None = None,
        feed_forward: keras.layers.Layer | None = None,
        norm: keras.layers.Layer | None = None,
        norm_position: str = "pre",
        skip: Gain = 1.0,
        dropout: float = 0.0,
        attention_gain: Gain = 1.0,
        feed_forward_gain: Gain = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.attention = attention
        self.feed_forward = feed_forward
        self.norm = norm
        self.norm_position = norm_position
        self.skip = skip
        self.attention_gain = attention_gain
        self.feed_forward_gain = feed_forward_gain
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        for part in (self.norm, self.attention, self.feed_forward):
            if part is not None and not part.built:
                part.build(input_shape)
        build_gains(*self.gains)

    @property
    def gains(self) -> list[TrainedGain]:
        """The gains that are trained."""
        found = (self.skip, self.attention_gain, self.feed_forward_gain)
        return [gain for gain in found if isinstance(gain, TrainedGain)]

    def call(
        self,
        x: Any,
        bias: Any = None,
        cache: Any = None,
        start: Any = 0,
        shared: Any = None,
        training: bool = False,
    ) -> Any:
        y = self.norm(x) if self.norm is not None and self.norm_position == "pre" else x
        branches = []
        if self.attention is not None:
            mixed = self.attention(
                y,
                bias=bias,
                cache=cache,
                start=start,
                shared=shared,
                training=training,
            )
            branches.append(times(self.attention_gain, mixed))
        if self.feed_forward is not None:
            branches.append(times(self.feed_forward_gain, self.feed_forward(y)))
        if self.dropout.rate:
            branches = [self.dropout(branch, training=training) for branch in branches]
        if self.skip != 0:
            branches.append(times(self.skip, x))
        x = sum(branches[1:], start=branches[0])
        return (
            self.norm(x)
            if self.norm is not None and self.norm_position == "post"
            else x
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            **{name: serialize(getattr(self, name)) for name in PARTS},
            "norm_position": self.norm_position,
            "dropout": self.dropout.rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialized(config, *PARTS))


@keras.saving.register_keras_serializable(package="kit")
class Block(keras.layers.Layer):
    """Sub-blocks, one after the other.

        serial:    x ─┬─ attention ─ + ─┬─ feed-forward ─ + ─
                      └──── skip ────┘   └───── skip ─────┘

        parallel:  x ─┬─ attention ──── + ─
                      ├─ feed-forward ──┤
                      └──── skip ───────┘

    Args:
        sub_blocks: Layers of type `SubBlock`.

    Call arguments:
        x: (batch, time, width).
        bias, cache, start, shared: Handed to the sub-blocks.

    Returns:
        (batch, time, width). Taps: `input` and `output`.

    Example:
        >>> import numpy as np
        >>> double = keras.layers.Lambda(lambda x: 2 * x)
        >>> block = Block([SubBlock(feed_forward=double)] * 2)  # x + 2 x, twice
        >>> np.ravel(block(np.ones((1, 1, 2), "float32"))).tolist()
        [9.0, 9.0]
    """

    def __init__(self, sub_blocks: Any = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.sub_blocks = list(sub_blocks)
        self.tap_name = self.name

    def build(self, input_shape: Any) -> None:
        for sub_block in self.sub_blocks:
            sub_block.build(input_shape)

    def call(
        self,
        x: Any,
        bias: Any = None,
        cache: Any = None,
        start: Any = 0,
        shared: Any = None,
        training: bool = False,
    ) -> Any:
        tap(f"{self.tap_name}/input", x)
        for sub_block in self.sub_blocks:
            x = sub_block(
                x, bias=bias, cache=cache, start=start, shared=shared, training=training
            )
        tap(f"{self.tap_name}/output", x)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def part(self, name: str) -> keras.layers.Layer | None:
        """The `"attention"` or `"feed_forward"` of this block, or `None`."""
        found = [getattr(sub_block, name) for sub_block in self.sub_blocks]
        return next((layer for layer in found if layer is not None), None)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        sub_blocks = [serialize(sub_block) for sub_block in self.sub_blocks]
        return {**super().get_config(), "sub_blocks": sub_blocks}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        deserialize = keras.saving.deserialize_keras_object
        sub_blocks = [deserialize(each) for each in config.pop("sub_blocks")]
        return cls(**config, sub_blocks=sub_blocks)

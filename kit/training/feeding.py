"""Arrays for Keras' `fit` and `predict`, without a wait at the end of each call."""

from typing import Any

import keras


def feed(batch_size: int, *data: Any) -> dict[str, Any]:
    """Arguments that hand arrays to `fit` or `predict`, batch by batch in their order.

    On TensorFlow, Keras turns arrays into a pipeline that tunes itself in a thread of
    its own, and whoever ends the pipeline waits until that thread wakes: it sleeps for
    10 ms, then 20, 40 and so on, so that a call of 6 seconds takes 10. There is nothing
    to tune in a pipeline that only cuts arrays, so it is made here without the thread.

    Args:
        batch_size: Rows of a batch; divides the number of rows.
        *data: Inputs, and targets if there are any: arrays, or dicts of arrays, with
            equal numbers of rows.

    Returns:
        Keyword arguments.

    Example:
        >>> import numpy as np
        >>> doubled = keras.Sequential([keras.layers.Lambda(lambda x: 2 * x)])
        >>> x = np.arange(6.0, dtype="float32").reshape(6, 1)
        >>> doubled.predict(**feed(3, x), verbose=0).ravel().tolist()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if keras.backend.backend() != "tensorflow":
        return {**dict(zip("xy", data, strict=False)), "batch_size": batch_size}
    import tensorflow as tf

    rows = data if len(data) > 1 else data[0]
    batches = tf.data.Dataset.from_tensor_slices(rows).batch(batch_size, True)
    options = tf.data.Options()
    options.autotune.enabled = False
    return {"x": batches.with_options(options)}

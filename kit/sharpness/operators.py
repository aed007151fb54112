"""Curvature matrices of a model, through their products with vectors.

Each is square in the trainable variables, one after the other in a flat vector. With
J the Jacobian of the outputs z, L the mean loss and N the examples (kept tokens):

    HessianOperator       H = d^2 L / d theta^2
    GaussNewtonOperator   G = J^T (d^2 L / dz^2) J
    FisherOperator        F = (1/N) sum_n J_n^T r_n r_n^T J_n,  r_n = d loss_n / dz_n

F with the true targets is the empirical Fisher matrix. With targets that are drawn from
the model its expectation is the Fisher matrix, which for a cross-entropy is G.
"""

from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.compiled import compiled
from kit.errors import KitError
from kit.sharpness.autodiff import (
    Tensors,
    gradient,
    hessian_vector_product,
    jacobian_vector_product,
    vector_jacobian_product,
)
from kit.sharpness.objective import Objective
from kit.training.scoring import token_cross_entropy

Forward = Callable[[Tensors], Any]


def forward(model: keras.Model, others: Tensors, inputs: Any) -> Forward:
    """The outputs as a function of the trainable variables, without dropout.

    Args:
        model: A built model with one output.
        others: Values of its non-trainable variables.
        inputs: What it is called with.
    """
    modes = (
        {"training": False} if "training" in signature(model.call).parameters else {}
    )

    def outputs(weights: Tensors) -> Any:
        return model.stateless_call(weights, others, inputs, **modes)[0]

    return outputs


def state(model: keras.Model) -> tuple[Tensors, Tensors]:
    """Trainable and other variables as tensors."""
    if not (model.built and model.trainable_variables):
        raise KitError(
            f"model {model.name!r} has no trainable variables",
            "Build it first, by a call on a batch, and leave something trainable",
        )
    return (
        [ops.copy(v) for v in model.trainable_variables],
        [ops.copy(v) for v in model.non_trainable_variables],
    )


def tensors(data: Any) -> Any:
    """A batch as tensors, in the precision that `fit` would give it."""

    def convert(x: Any) -> Any:
        x = np.asarray(x)
        return ops.convert_to_tensor(
            x, keras.config.floatx() if x.dtype == "float64" else None
        )

    return keras.tree.map_structure(convert, data)


class Operator:
    """A symmetric matrix as a function: a flat vector in, a flat vector out.

    It reads the weights at each product, so that it follows a model that is trained.

    Args:
        model: A built Keras model.
        batches: (inputs, targets) pairs, such as `kit.data.Batch`. The matrix is that
            of the mean over all their examples.
        loss: What the model is trained on; see `Objective.of`.
        compile: Compile the product, which pays from about twenty products on.
        xla: Compile it with XLA on TensorFlow too.

    Raises:
        KitError: The model is not built, or there is nothing to average over.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> batch = np.array([[1.0, 2.0]]), np.array([[0.0]])
        >>> hessian = HessianOperator(model, [batch], "mse", compile=False)
        >>> hessian(np.array([1, 0, 0])).tolist()  # twice the outer product of 1, 2, 1
        [2.0, 4.0, 2.0]
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Iterable[tuple[Any, Any]],
        loss: Any = token_cross_entropy,
        compile: bool = True,
        xla: bool = False,
    ):
        state(model)
        self.model = model
        self.objective = Objective.of(loss)
        self.batches = [self._arguments(*batch) for batch in batches]
        counts = [self.objective.count(targets) for _, targets, *_ in self.batches]
        if not sum(counts):
            raise KitError(
                f"{len(counts)} batches hold no example that counts",
                "Give batches in which some target is not ignored",
            )
        self.shares = [count / sum(counts) for count in counts]
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes]).tolist()
        self.size = ends[-1]
        self.slices = [slice(*at) for at in zip([0, *ends], ends, strict=False)]
        self._compute = compiled(self._one_batch, xla) if compile else self._one_batch

    def _arguments(self, inputs: Any, targets: Any) -> tuple[Any, ...]:
        return inputs, np.asarray(targets)

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        """The product with a vector of `size` entries, float64."""
        vector = np.asarray(vector, "float32")
        if vector.shape != (self.size,):
            raise KitError(
                f"a vector of shape {vector.shape} for a matrix of size {self.size}",
                "Give one entry for each trainable parameter",
            )
        parts = [
            ops.convert_to_tensor(vector[part].reshape(shape))
            for part, shape in zip(self.slices, self.shapes, strict=True)
        ]
        total = np.zeros(self.size)
        for share, batch in zip(self.shares, self.batches, strict=True):
            data = tensors(batch)
            products = self._compute(*state(self.model), parts, *data)
            flat = [ops.convert_to_numpy(product).ravel() for product in products]
            total += share * np.concatenate(flat)
        return total

    def _one_batch(
        self,
        weights: Tensors,
        others: Tensors,
        vector: Tensors,
        inputs: Any,
        *data: Any,
    ) -> Tensors:
        return self.product(forward(self.model, others, inputs), weights, vector, *data)

    def product(
        self, outputs: Forward, weights: Tensors, vector: Tensors, *data: Any
    ) -> Tensors:
        """The product for one batch, in tensors."""
        raise NotImplementedError


class HessianOperator(Operator):
    """H v; arguments as for `Operator`.

    Example:
        Two logits of the same size, so that p = 1/2 for each of two classes:

        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
        >>> model.set_weights([np.zeros((1, 2)), np.zeros(2)])
        >>> batch = np.array([[2.0]]), np.array([0])
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> hessian = HessianOperator(model, [batch], loss, compile=False)
        >>> hessian(np.array([1, 0, 0, 0])).tolist()  # x^2 p (1 - p) with x = 2
        [1.0, -1.0, 0.5, -0.5]
    """

    def product(
        self, outputs: Forward, weights: Tensors, vector: Tensors, *data: Any
    ) -> Tensors:
        (targets,) = data

        def loss(weights: Tensors) -> Any:
            return self.objective.value(targets, outputs(weights))

        return hessian_vector_product(loss, weights, vector)


class GaussNewtonOperator(Operator):
    """J^T (d^2 L / dz^2) J v; arguments as for `Operator`.

    Never negative where the loss is convex in the outputs, and the Hessian where the
    model is linear in its weights.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "relu")])
        >>> model.set_weights([np.ones((1, 1)), np.zeros(1)])
        >>> batch = np.array([[3.0]]), np.array([[0.0]])
        >>> gauss_newton = GaussNewtonOperator(model, [batch], "mse", compile=False)
        >>> gauss_newton(np.array([1, 0])).tolist()  # J = (3, 1), and 2 in the middle
        [18.0, 6.0]
    """

    def product(
        self, outputs: Forward, weights: Tensors, vector: Tensors, *data: Any
    ) -> Tensors:
        z = ops.stop_gradient(outputs(weights))
        moved = jacobian_vector_product(outputs, weights, vector, z)
        return vector_jacobian_product(outputs, weights, self.curve(z, moved, *data))

    def curve(self, z: Any, moved: Any, *data: Any) -> Any:
        """The matrix between the two Jacobians, times J v."""
        (targets,) = data
        loss = lambda tensors: self.objective.value(targets, tensors[0])  # noqa: E731
        return hessian_vector_product(loss, [z], [moved])[0]


class FisherOperator(GaussNewtonOperator):
    """F v: in place of the loss's Hessian, the outer product of its gradient.

    Args:
        *args, **options: As for `Operator`.
        targets: `"true"` for the empirical Fisher matrix, `"sampled"` for those that
            are drawn from the model: once for each token, so that the matrix is fixed.
        seed: Of the targets that are drawn.

    Raises:
        KitError: As for `Operator`; or `targets` is unknown, or `"sampled"` where the
            loss has no classes.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.zeros((1, 1)), np.zeros(1)])
        >>> batch = np.array([[2.0]]), np.array([[3.0]])
        >>> fisher = FisherOperator(model, [batch], "mse", compile=False)
        >>> fisher(np.array([1, 0])).tolist()  # the gradient is -2 * 3 * (2, 1)
        [144.0, 72.0]
    """

    def __init__(
        self, *args: Any, targets: str = "true", seed: int = 0, **options: Any
    ):
        self.targets, self.rng = targets, np.random.default_rng(seed)
        super().__init__(*args, **options)

    def _arguments(self, inputs: Any, targets: Any) -> tuple[Any, ...]:
        targets = np.asarray(targets)
        count = np.float32(self.objective.count(targets))
        if self.objective.check(self.targets) == "true":
            return inputs, targets, count
        return inputs, targets, count, self.objective.uniforms(targets, self.rng)

    def curve(self, z: Any, moved: Any, *data: Any) -> Any:
        targets, count, *uniforms = data
        if uniforms:
            targets = self.objective.drawn(targets, z, *uniforms)
        # N times the gradient of the mean loss is r_n in the row of example n.
        (residual,) = gradient(lambda z: count * self.objective.value(targets, z[0]))(
            [z]
        )
        along = ops.sum(residual * moved, axis=-1, keepdims=True)
        return residual * along / count

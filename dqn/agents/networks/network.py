"""What every network is, and the layers that networks are made of, which XLA compiles well.

Weights are a flat list [W0, b0, W1, b1, …] with W [..., in, out] and b [..., out]; leading axes,
where there are any, are lanes.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier  # not public

from dqn.agents import random
from dqn.config.config import choices_of
from dqn.runtime.errors import UserError

Shapes = list[tuple[int, ...]]
"""Of a flat list of weights, without leading axes."""

ACTIVATIONS = {name: getattr(tf.nn, name) for name in choices_of("activation")}

# Up to these widths XLA on a CPU is faster with sums and products of vectors than of matrices.
_NARROW_IN, _NARROW_OUT = 16, 8


@dataclass(frozen=True)
class Network(ABC):
    """A Q-network from D observed numbers to A Q-values.

    Its weights are a flat list [W0, b0, W1, b1, …]: first the hidden layers, then a layer with an
    output per action, then any others. Those of a network of one's own are any list of tensors.
    """

    observation_size: int
    """D."""
    hidden: tuple[int, ...]
    activation: str
    actions: int
    """A."""

    @property
    @abstractmethod
    def shapes(self) -> Shapes:
        """Shapes of the weights, without leading axes."""

    @abstractmethod
    def apply(self, weights, x) -> Any:
        """Q-values [..., B, A] of observations x [..., B, D], both float32, with weights [..., *].

        Leading axes are lanes, or there are none; no lane reads what is another's. Operations are
        those that XLA compiles, and TensorFlow differentiates.
        """

    def keras_model(self) -> Any:
        """The same as a new Keras model, whose weights have the order of ours.

        A network of one's own need not have it; without it there is no model.keras, and
        `create_model` refuses it. Raises `UserError` then.
        """
        raise UserError(
            f"network={_path(self)} has no Keras model; define keras_model() in its class to have "
            "model.keras and create_model",
            "network",
        )

    def init(self, seed) -> list:
        """Glorot-uniform weights and zero biases (Glorot & Bengio 2010, Eq. 16), [L, ...] each.

        `seed` int32 [L]: each lane draws from its own stream, so its weights depend on that alone.
        To be defined anew by a network whose weights are to begin otherwise.
        """
        weights, leading = [], seed.shape[0]
        for layer, shape in enumerate(self.shapes):
            if len(shape) == 1:
                weights.append(tf.zeros([leading, *shape]))
                continue
            limit = np.float32(np.sqrt(6.0 / sum(shape)))
            step = tf.fill([leading], layer)
            u = random.uniform(seed, random.Stream.WEIGHTS, step, int(np.prod(shape)))
            weights.append(tf.reshape((2.0 * u - 1.0) * limit, [leading, *shape]))
        return weights

    def to_keras(self, weights: Sequence[np.ndarray]) -> Any:
        """A plain Keras model with these weights, for `model.keras`.

        Of float32, as lanes are, whatever this process has chosen. Raises `UserError` for a network
        of one's own whose Keras model is another function than it is itself.
        """
        from dqn.agents.keras.backend import keras  # not above: lanes do without it

        floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        try:
            model = self.keras_model()
        finally:
            keras.config.set_floatx(floatx)
            keras.config.set_dtype_policy(policy)
        model.set_weights(list(weights))
        if not type(self).__module__.startswith(f"{__package__}."):  # ours are held alike by tests
            self._refuse_other(model, weights)
        return model

    def _refuse_other(self, model: Any, weights: Sequence[np.ndarray]) -> None:
        x = np.random.default_rng(0).normal(size=(8, self.observation_size)).astype(np.float32)
        ours, theirs = self.q_function(weights)(x), np.asarray(model(x))
        close = ours.shape == theirs.shape and np.allclose(ours, theirs, 1e-3, 1e-3, equal_nan=True)
        if not close:
            raise UserError(
                f"keras_model() of network={_path(self)} must give the Q-values that apply gives, "
                "gave others; its layers, or the order of their weights, are not the same",
                "network",
            )

    def q_function(self, weights: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        """The network as a function of NumPy arrays: observations [N, D] → Q-values [N, A].

        A graph traced once: operation by operation an episode of 200 steps takes a second longer.
        """
        tensors = [tf.convert_to_tensor(w, tf.float32) for w in weights]
        spec = tf.TensorSpec([None, self.observation_size])
        traced: Any = tf.function(
            lambda x: self.apply(tensors, x), input_signature=[spec], autograph=False
        )
        return lambda observations: traced(np.asarray(observations, np.float32)).numpy()


def _path(network: Network) -> str:
    return f"{type(network).__module__}:{type(network).__name__}"


def dense_shapes(widths: Sequence[int]) -> Shapes:
    """Of dense layers one behind the other: `widths` has the input's and each layer's."""
    return [shape for i, o in itertools.pairwise(widths) for shape in ((i, o), (o,))]


def hidden_layers(weights, x, activation: str):
    """Dense layers that share one activation: x [..., B, in] → [..., B, H]."""
    for W, b in zip(weights[::2], weights[1::2], strict=True):
        x = ACTIVATIONS[activation](dense(x, W, b))
    return x


def dense(x, W, b):
    """x·W + b with x [..., B, in], W [..., in, out], b [..., out] → [..., B, out]."""
    if W.shape[-2] <= _NARROW_IN:
        product = tf.reduce_sum(x[..., None] * W[..., None, :, :], -2)
    elif W.shape[-1] <= _NARROW_OUT:
        product = _narrow_product(x, W)
    else:
        product = _wide_product(x, W)
    return product + b[..., None, :]


@tf.custom_gradient
def _wide_product(x, W):
    """x·W; its gradient is to be compiled by XLA."""

    def gradient(d):
        # The product with a transposed copy is faster than the transposed product, copy included;
        # the barrier keeps XLA from making the latter of it.
        transposed: Any = xla_optimization_barrier([tf.linalg.matrix_transpose(x)])
        return tf.matmul(d, W, transpose_b=True), tf.matmul(transposed[0], d)

    return tf.matmul(x, W), gradient


@tf.custom_gradient
def _narrow_product(x, W):
    """x·W with a narrow output: a product of x with each column of W, [..., in]."""
    columns = tf.unstack(W, axis=-1)

    def gradient(d):  # [..., B, out]
        d_columns = tf.unstack(d, axis=-1)  # [..., B]
        pairs = zip(d_columns, columns, strict=True)
        d_x = tf.add_n([d_c[..., None] * c[..., None, :] for d_c, c in pairs])
        d_W = tf.stack([tf.matmul(d_c[..., None, :], x)[..., 0, :] for d_c in d_columns], -1)
        return d_x, d_W

    return tf.concat([tf.matmul(x, c[..., None]) for c in columns], -1), gradient

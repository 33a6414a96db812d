"""The Q-network: a multilayer perceptron, as plain tensors for lanes and as a Keras model.

Weights are the flat list [W0, b0, W1, b1, …] with W [..., in, out] and b [..., out]; leading axes,
where there are any, are lanes. Hidden layers share one activation, the output is linear.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier  # not public

from dqn.agents import random

ACTIVATIONS = {
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    "elu": tf.nn.elu,
    "silu": tf.nn.silu,
    "gelu": tf.nn.gelu,
}

# Up to these widths XLA on a CPU is faster with sums and products of vectors than of matrices.
_NARROW_IN, _NARROW_OUT = 16, 8


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


def forward(weights, x, activation: str):
    """Q-values [..., B, A] of observations x [..., B, D]."""
    *hidden, W, b = weights
    for W_hidden, b_hidden in zip(hidden[::2], hidden[1::2], strict=True):
        x = ACTIVATIONS[activation](dense(x, W_hidden, b_hidden))
    return dense(x, W, b)


def shapes(observation_size: int, hidden: Sequence[int], actions: int) -> list[tuple[int, ...]]:
    """Shapes of the flat list of weights of one network, without leading axes."""
    widths = [observation_size, *hidden, actions]
    return [shape for i, o in itertools.pairwise(widths) for shape in ((i, o), (o,))]


def initial_weights(seed, weight_shapes: Sequence[tuple[int, ...]]):
    """Glorot-uniform weights and zero biases (Glorot & Bengio 2010, Eq. 16), one set a seed.

    `seed` int32 [L] → list of float32 [L, in, out] and [L, out]; each lane draws from its own
    stream, so a lane's weights depend on its seed alone.
    """
    weights = []
    for layer, shape in enumerate(weight_shapes):
        leading = seed.shape[0]
        if len(shape) == 1:
            weights.append(tf.zeros([leading, *shape]))
            continue
        limit = np.float32(np.sqrt(6.0 / sum(shape)))
        step = tf.fill([leading], layer)
        u = random.uniform(seed, random.Stream.WEIGHTS, step, int(np.prod(shape)))
        weights.append(tf.reshape((2.0 * u - 1.0) * limit, [leading, *shape]))
    return weights


def q_function(
    weights: Sequence[np.ndarray], activation: str
) -> Callable[[np.ndarray], np.ndarray]:
    """One network as a function of NumPy arrays: observations [N, D] → Q-values [N, A].

    A graph traced once: operation by operation an episode of 200 steps takes a second longer.
    """
    tensors = [tf.convert_to_tensor(w, tf.float32) for w in weights]
    spec = tf.TensorSpec([None, tensors[0].shape[0]], tf.float32)
    traced = tf.function(
        lambda x: forward(tensors, x, activation), input_signature=[spec], autograph=False
    ).get_concrete_function()

    def q_values(observations: np.ndarray) -> np.ndarray:
        return traced(tf.convert_to_tensor(observations, tf.float32)).numpy()

    return q_values


def create_model(env, lr: float, hidden: Sequence[int] = (64, 64), activation: str = "relu"):
    """The exercise's network for a Gymnasium environment: a Keras model compiled with MSE and Adam.

    `env` has a flat Box of observations [D] and Discrete actions (A of them).
    """
    from dqn.agents.keras.backend import keras  # not above: lanes do without it

    model = _sequential(env.observation_space.shape[0], hidden, int(env.action_space.n), activation)
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(learning_rate=float(lr)))
    return model


def to_keras(weights: Sequence[np.ndarray], activation: str, observation_size: int):
    """The same network as a plain Keras model, for `model.keras`."""
    from dqn.agents.keras.backend import single_precision  # not above: lanes do without it

    *hidden, actions = [w.shape[0] for w in weights[1::2]]
    with single_precision():
        model = _sequential(observation_size, hidden, actions, activation)
    model.set_weights(list(weights))
    return model


def _sequential(observation_size, hidden, actions, activation):
    from dqn.agents.keras.backend import keras  # not above: lanes do without it

    layers = [keras.layers.Dense(int(width), activation=activation) for width in hidden]
    return keras.Sequential(
        [keras.layers.Input((observation_size,)), *layers, keras.layers.Dense(actions)]
    )

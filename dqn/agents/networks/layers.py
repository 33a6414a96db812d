"""What networks are made of, as plain tensors: layers that XLA compiles well, and first weights.

Weights are a flat list [W0, b0, W1, b1, …] with W [..., in, out] and b [..., out]; leading axes,
where there are any, are lanes.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier  # not public

from dqn.agents import random

Shapes = list[tuple[int, ...]]
"""Of a flat list of weights, without leading axes."""

ACTIVATIONS = {
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    "elu": tf.nn.elu,
    "silu": tf.nn.silu,
    "gelu": tf.nn.gelu,
}

# Up to these widths XLA on a CPU is faster with sums and products of vectors than of matrices.
_NARROW_IN, _NARROW_OUT = 16, 8


def dense_shapes(widths: Sequence[int]) -> Shapes:
    """Of dense layers one behind the other: `widths` has the input's and each layer's."""
    return [shape for i, o in itertools.pairwise(widths) for shape in ((i, o), (o,))]


def glorot_uniform(seed, shapes: Shapes):
    """Glorot-uniform weights and zero biases (Glorot & Bengio 2010, Eq. 16), one set per seed.

    `seed` int32 [L] → list of float32 [L, in, out] and [L, out]; each lane draws from its own
    stream, so a lane's weights depend on its seed alone.
    """
    weights = []
    for layer, shape in enumerate(shapes):
        leading = seed.shape[0]
        if len(shape) == 1:
            weights.append(tf.zeros([leading, *shape]))
            continue
        limit = np.float32(np.sqrt(6.0 / sum(shape)))
        step = tf.fill([leading], layer)
        u = random.uniform(seed, random.Stream.WEIGHTS, step, int(np.prod(shape)))
        weights.append(tf.reshape((2.0 * u - 1.0) * limit, [leading, *shape]))
    return weights


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

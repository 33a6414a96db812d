"""Random numbers a lane owns: counter-based, so its draws depend on nothing that runs beside it.

Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
A word is a pure function of (seed, purpose, step, position): key = (seed, purpose), counter =
(step, position). `step` is the lane's own count of whatever the purpose counts.
"""

import enum
from typing import Any

import numpy as np
import tensorflow as tf


class Stream(enum.IntEnum):
    """The second key word: one independent stream each."""

    WEIGHTS = 1  # step: index of the layer
    START = 2  # step: episode, counted from 0
    EXPLORATION = 3  # step: environment step
    MINIBATCH = 4  # step: environment step
    TEST = 5  # step: test episode, counted from 0


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_ANY_SHAPE: Any = None


# Traced once for every shape: its 120 operations would be a quarter of a block's tracing time.
@tf.function(input_signature=[tf.TensorSpec(_ANY_SHAPE, tf.uint32)] * 4, autograph=False)
def threefry_2x32(k0, k1, c0, c1) -> Any:
    """Two words of 32 random bits for each key (k0, k1) and counter (c0, c1), all uint32 [...]."""
    left, right = tf.bitwise.left_shift, tf.bitwise.right_shift
    keys = (k0, k1, k0 ^ k1 ^ tf.constant(_PARITY, tf.uint32))
    x0, x1 = c0 + keys[0], c1 + keys[1]
    for block in range(5):
        for bits in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            turned = left(x1, np.uint32(bits)) | right(x1, np.uint32(32 - bits))
            x1 = turned ^ x0
        x0 = x0 + keys[(block + 1) % 3]
        x1 = x1 + keys[(block + 2) % 3] + tf.constant(block + 1, tf.uint32)
    return x0, x1


def random_bits(seed, purpose: Stream, step, n: int):
    """`n` words uint32 [..., n] for each (seed, step); both are integer tensors of shape [...]."""
    pairs = (n + 1) // 2
    seed, step = (tf.cast(x, tf.uint32)[..., None] for x in (seed, step))
    shape = tf.concat([tf.shape(seed)[:-1], [pairs]], 0)
    position = tf.broadcast_to(tf.range(pairs, dtype=tf.int32), shape)
    k1 = tf.fill(shape, np.uint32(purpose))
    x0, x1 = threefry_2x32(
        tf.broadcast_to(seed, shape), k1, tf.broadcast_to(step, shape), tf.cast(position, tf.uint32)
    )
    both: Any = tf.concat([tf.ensure_shape(x, k1.shape) for x in (x0, x1)], -1)
    return both[..., :n]


def to_uniform(word):
    """Float32 in [0, 1) from the top 24 bits of each uint32 word: every value is exact."""
    top = tf.cast(tf.bitwise.right_shift(word, np.uint32(8)), tf.int32)
    return tf.cast(top, tf.float32) * np.float32(2.0**-24)


def to_integer(word, bound):
    """Int32 in [0, bound) from each uint32 word by multiply-high (Lemire 2019), bias < 2^-32·bound.

    `bound` is a positive int32 tensor or number that broadcasts against `word`.
    """
    wide = tf.cast(word, tf.uint64) * tf.cast(bound, tf.uint64)
    return tf.cast(tf.bitwise.right_shift(wide, np.uint64(32)), tf.int32)


def uniform(seed, purpose: Stream, step, n: int):
    """Float32 [..., n] in [0, 1) for each (seed, step) of shape [...]."""
    return to_uniform(random_bits(seed, purpose, step, n))

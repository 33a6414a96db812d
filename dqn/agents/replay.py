"""Experience replay (Lin 1992): a transition as a row, and which rows an update learns from."""

from typing import Any, NamedTuple

import tensorflow as tf

from dqn.agents import random


class Transition(NamedTuple):
    """What an update learns from, [L, B, ...] in lanes and [B, ...] in an agent."""

    s: Any  # [..., D]
    action: Any  # int32 [...]
    r: Any  # [...], raw
    s_next: Any  # [..., D]
    terminal: Any  # [...], 1.0 where the target must not bootstrap


def width(D: int) -> int:
    """Columns of a row: s, s', action, reward, terminal."""
    return 2 * D + 3


def pack(transition: Transition, xp: Any):
    """Rows [..., 2·D + 3] of transitions; `xp` is TensorFlow for tensors and NumPy for arrays."""
    s, action, r, s_next, terminal = transition
    numbers = action, r, terminal
    if xp is tf:  # NumPy finds a common type itself
        numbers = [tf.cast(x, tf.float32) for x in numbers]
    return xp.concat([s, s_next, xp.stack(numbers, -1)], -1)


def unpack(rows, D: int) -> Transition:
    """Transitions of rows [..., 2·D + 3]."""
    return Transition(
        s=rows[..., :D],
        action=tf.cast(rows[..., 2 * D], tf.int32),
        r=rows[..., 2 * D + 1],
        s_next=rows[..., D : 2 * D],
        terminal=rows[..., 2 * D + 2],
    )


def sample_indices(t, hyper, batch_size: int):
    """Replay positions int32 [L, B], uniform with replacement over what each lane has stored."""
    word = random.random_bits(hyper.seed, random.Stream.MINIBATCH, t, batch_size)
    return random.to_integer(word, tf.maximum(tf.minimum(t, hyper.buffer_size), 1)[:, None])

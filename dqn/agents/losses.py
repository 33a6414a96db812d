"""The temporal-difference mathematics of DQN, on trailing axes.

One function serves a single agent ([B], [B, A]) and a block of lanes ([L, B], [L, B, A]); a
hyperparameter is then a number or a tensor [L, 1]. Sources: Mnih et al. 2015, "Human-level control
through deep reinforcement learning", Algorithm 1; van Hasselt et al. 2016, "Deep reinforcement
learning with double Q-learning", Eq. 4.
"""

import tensorflow as tf


def greedy_value(q_next):
    """max_a Q(s', a): q_next [..., A] → [...]; the bootstrap of DQN (Mnih et al. 2015, Alg. 1)."""
    return tf.reduce_max(q_next, -1)


def double_value(q_next, q_next_online):
    """Q_target(s', argmax_a Q_online(s', a)): the bootstrap of double DQN, [..., A] → [...]."""
    chosen = tf.one_hot(tf.argmax(q_next_online, -1), q_next.shape[-1])  # [..., A]
    return tf.reduce_sum(q_next * chosen, -1)


def target(r, terminal, value_next, gamma, reward_scale):
    """Bellman target y = scale·r + γ·(1 − terminal)·V(s'), all [...]; `terminal` is 0.0 or 1.0.

    The scale is inside the target only: reported returns stay raw.
    """
    return reward_scale * r + gamma * (1.0 - terminal) * value_next


def chosen_value(q, action):
    """Q(s, a) of the action taken: q [..., A], action int32 [...] → [...]."""
    return tf.reduce_sum(q * tf.one_hot(action, q.shape[-1]), -1)


def loss(delta, huber_delta):
    """Per-sample loss of the TD error δ [...]: δ² where |δ| ≤ κ, κ·(2|δ| − κ) beyond.

    Twice the Huber (1964) loss, so that κ = ∞ is the exercise's squared error exactly.
    """
    size = tf.abs(delta)
    inside = tf.minimum(size, huber_delta)
    # With κ = ∞ the second term would be ∞·0: `size - inside` is 0 there and κ is kept out of it.
    return inside * inside + 2.0 * inside * (size - inside)


def clip_by_global_norm(gradients, norm, limit):
    """Scale gradients to a global L2 norm of at most `limit` (Pascanu et al. 2013).

    `gradients`: tensors with the leading shape of `norm` and `limit` ([] or [L]); `norm` is their
    global norm. An infinite limit leaves every bit as it was.
    """
    factor = tf.where(norm > limit, limit / norm, 1.0)
    return [g * expand_like(factor, g) for g in gradients]


def global_norm(gradients, leading: int = 0):
    """Square root of the sum of squares over everything behind the first `leading` axes."""
    squares = []
    for g in gradients:
        # Norms of columns first: XLA adds up columns side by side, a whole matrix number by number.
        if between := list(range(leading, g.shape.rank - 1)):
            g = tf.sqrt(tf.reduce_sum(g * g, between))
        squares.append(tf.reduce_sum(g * g, list(range(leading, g.shape.rank))))
    return tf.sqrt(tf.add_n(squares))


def expand_like(x, like):
    """`x` [] or [L] with axes of 1 appended until it broadcasts against `like` [L, ...]."""
    return tf.reshape(x, [*x.shape, *[1] * (like.shape.rank - x.shape.rank)])

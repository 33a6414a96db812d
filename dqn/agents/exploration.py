"""How often an agent acts at random: epsilon as a function of the actions already taken.

A closed form of an integer count, so that nothing drifts over 10⁷ steps. All arguments are numbers
or tensors that broadcast.
"""

import tensorflow as tf


def exponential(actions, start, minimum, decay):
    """ε after n actions: max(ε_min, ε_start·(1 − decay)ⁿ), the exercise's rule."""
    n = tf.cast(actions, tf.float32)
    # decay = 1 would make log1p(-1)·0 a NaN: one action is enough then.
    rate = tf.math.log1p(-tf.minimum(decay, 1.0 - 1e-7))
    return tf.maximum(minimum, start * tf.exp(n * rate))


def linear(actions, start, minimum, steps):
    """ε after n actions, falling evenly from ε_start to ε_min over `steps` (Mnih et al. 2015)."""
    done = tf.cast(actions, tf.float32) / tf.cast(steps, tf.float32)
    return start + (minimum - start) * tf.minimum(done, 1.0)

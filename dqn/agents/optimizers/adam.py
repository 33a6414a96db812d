"""Adam (Kingma & Ba 2015, Algorithm 1 in the form of its section 2), as Keras has it."""

import tensorflow as tf

from dqn.agents.losses import expand_like
from dqn.agents.optimizers.optimizer import Optimizer

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def _accumulate(gradients, slots):
    m = [m + (g - m) * (1.0 - BETA_1) for m, g in zip(slots[0], gradients, strict=True)]
    v = [v + (g * g - v) * (1.0 - BETA_2) for v, g in zip(slots[1], gradients, strict=True)]
    return m, v


def _step(weights, gradients, slots, hyper, t):
    rate = hyper.lr * tf.sqrt(1.0 - tf.pow(BETA_2, t)) / (1.0 - tf.pow(BETA_1, t))  # [L]
    moments = zip(weights, *slots, strict=True)
    return [w - expand_like(rate, w) * m / (tf.sqrt(v) + EPSILON) for w, m, v in moments]


_SETTINGS = {"beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON}
OPTIMIZER = Optimizer(2, _accumulate, _step, "Adam", _SETTINGS)

"""RMSprop (Tieleman & Hinton 2012, lecture 6.5) as Keras has it, uncentred, without momentum."""

import tensorflow as tf

from dqn.agents.losses import expand_like
from dqn.agents.optimizers.optimizer import Optimizer

RHO, EPSILON = 0.9, 1e-7


def _accumulate(gradients, slots):
    pairs = zip(slots[0], gradients, strict=True)
    return ([RHO * v + (1.0 - RHO) * (g * g) for v, g in pairs],)


def _step(weights, gradients, slots, hyper, t):
    squares = zip(weights, gradients, *slots, strict=True)
    return [w - expand_like(hyper.lr, w) * g / tf.sqrt(v + EPSILON) for w, g, v in squares]


_SETTINGS = {"rho": RHO, "momentum": 0.0, "epsilon": EPSILON, "centered": False}
OPTIMIZER = Optimizer(1, _accumulate, _step, "RMSprop", _SETTINGS)

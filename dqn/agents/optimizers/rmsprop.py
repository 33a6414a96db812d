"""RMSprop (Tieleman & Hinton 2012, lecture 6.5) as Keras has it, uncentred, without momentum."""

import tensorflow as tf

from dqn.agents.losses import expand_like
from dqn.agents.optimizers.optimizer import Optimizer

RHO, EPSILON = 0.9, 1e-7


def _update(gradients, slots, weights, hyper, t):
    v = [RHO * v + (1.0 - RHO) * (g * g) for v, g in zip(slots[0], gradients, strict=True)]
    squares = zip(weights, gradients, v, strict=True)
    weights = [w - expand_like(hyper.lr, w) * g / tf.sqrt(v + EPSILON) for w, g, v in squares]
    return weights, (v,)


_SETTINGS = {"rho": RHO, "momentum": 0.0, "epsilon": EPSILON, "centered": False}
OPTIMIZER = Optimizer(1, _update, "RMSprop", _SETTINGS)

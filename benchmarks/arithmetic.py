"""What the arithmetic of DQN alone would take: multiply-adds, and how fast this core does them."""

import itertools
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import tensorflow as tf

B, H = 32, 64
PRODUCT = 2 * B * H * H
"""Floating-point operations of the product [32, 64] × [64, 64]."""
_CHAIN = 500  # products in one call: what a call costs by itself does not show then


def multiply_adds(
    observation_size: int, hidden: Sequence[int], actions: int, batch_size: int, train_freq: int
) -> int:
    """Multiply-adds of one lane from one update to the next, in matrix products alone.

    With P the weights of a network without biases (4·64 + 64·64 + 64·2 = 4,480), F those of its
    first layer and B the minibatch, they are
        2·B·P      the online network on s, the target network on s';
        B·P        gradients of the weights;
        B·(P − F)  gradients of the activations: the observations need none;
        T_train·P  one forward pass for each action.
    Biases, activations, the loss, Adam, sampling and the environment count as nothing.
    """
    widths = [observation_size, *hidden, actions]
    products = [i * o for i, o in itertools.pairwise(widths)]
    P, F = sum(products), products[0]
    return batch_size * (3 * P + P - F) + train_freq * P


def steps_bound(flops: float, count: int, train_freq: int) -> float:
    """Environment steps a second when `count` multiply-adds an update are done at `flops`."""
    return train_freq * flops / (2 * count)


class Products:
    """32×64×64 float32 products a second, in FLOP/s: the best of what runs them here.

    XLA on one pair of matrices and on batches of 16, and NumPy. Each product is the next one's
    operand and the matrices are orthogonal, so nothing can be left out, overflow or die away.
    """

    def __init__(self, lanes: Sequence[int] = (1, 16)):
        generator = np.random.default_rng(0)
        W = np.linalg.qr(generator.normal(size=(max(lanes), H, H)))[0].astype(np.float32)
        x = generator.normal(size=(max(lanes), B, H)).astype(np.float32)
        self._x, self._W = x[0], W[0]
        self._batches = [(tf.constant(x[:n]), tf.constant(W[:n])) for n in lanes]
        self._chain = tf.function(_chain, jit_compile=True, autograph=False)
        for pair in self._batches:
            self._chain(*pair)

    def flops(self, seconds: float) -> float:
        """The best rate of several calls within `seconds`: nothing slows it down but the core."""
        best, began = 0.0, perf_counter()
        while best == 0.0 or perf_counter() - began < seconds:
            best = max(best, *(self._compiled(*pair) for pair in self._batches), self._numpy())
        return best

    def _compiled(self, x, W) -> float:
        began = perf_counter()
        self._chain(x, W).numpy()
        return _CHAIN * x.shape[0] * PRODUCT / (perf_counter() - began)

    def _numpy(self) -> float:
        x, out = self._x.copy(), np.empty_like(self._x)
        began = perf_counter()
        for _ in range(_CHAIN):
            np.matmul(x, self._W, out=out)
            x, out = out, x
        return _CHAIN * PRODUCT / (perf_counter() - began)


def _chain(x, W):
    return tf.while_loop(lambda i, x: i < _CHAIN, lambda i, x: (i + 1, tf.matmul(x, W)), (0, x))[1]

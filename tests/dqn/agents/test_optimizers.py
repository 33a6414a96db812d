"""Each optimizer against the one of Keras that it says it is."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from dqn.agents.optimizers import OPTIMIZERS

LR = 0.01


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_moves_the_weights_of_each_lane_as_keras_does(name):
    optimizer, generator = OPTIMIZERS[name], np.random.default_rng(0)
    kept = [keras.Variable(generator.normal(size=(3, 2)).astype(np.float32)) for _ in range(2)]
    theirs = [optimizer.to_keras(LR) for _ in kept]
    weights = [tf.stack([variable.numpy() for variable in kept])]  # a lane for each
    slots, hyper = optimizer.init(weights), SimpleNamespace(lr=tf.fill([2], LR))
    assert len(slots) == optimizer.slots
    for n in range(1, 41):
        scale = 10.0 ** generator.integers(-6, 3)
        gradient = (scale * generator.normal(size=(2, 3, 2))).astype(np.float32)
        t = tf.fill([2], float(n))
        slots = optimizer.accumulate([tf.constant(gradient)], slots)
        weights = optimizer.step(weights, [tf.constant(gradient)], slots, hyper, t)
        for lane, (own, variable) in enumerate(zip(theirs, kept, strict=True)):
            own.apply([tf.constant(gradient[lane])], [variable])
            np.testing.assert_allclose(weights[0][lane], variable.numpy(), rtol=1e-4, atol=1e-6)

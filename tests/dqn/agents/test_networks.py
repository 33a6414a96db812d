"""The Q-network as plain tensors and as a Keras model: one function, two faces."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dqn.agents import networks
from dqn.config import EnvConfig
from dqn.envs import gymnasium_env

SHAPES = [(4, (64, 64), 2), (4, (8,), 2), (6, (3, 5, 7), 3), (1, (32, 6), 1), (20, (24,), 16)]


def random_weights(seed, observation_size, hidden, actions, lanes=()):
    """Weights with biases that are not zero, float32 [*lanes, ...]."""
    generator = np.random.default_rng(seed)
    return [
        generator.normal(scale=0.5, size=(*lanes, *shape)).astype(np.float32)
        for shape in networks.shapes(observation_size, hidden, actions)
    ]


def observations(observation_size, *leading):
    return np.random.default_rng(1).normal(size=(*leading, observation_size)).astype(np.float32)


def test_the_exercises_network_has_4610_parameters():
    model = networks.create_model(gymnasium_env.make(EnvConfig()), 0.001)
    assert model.count_params() == 4610
    assert model.count_params() == sum(np.prod(s) for s in networks.shapes(4, (64, 64), 2))


def test_create_model_is_the_exercises_model():
    model = networks.create_model(gymnasium_env.make(EnvConfig()), 0.25)
    assert [layer.activation.__name__ for layer in model.layers] == ["relu", "relu", "linear"]
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate.numpy()) == 0.25
    assert model.loss == "mse"
    for layer in model.layers:
        kernel, bias = layer.get_weights()
        limit = np.sqrt(6 / sum(kernel.shape))  # Glorot & Bengio 2010, Eq. 16
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        assert not bias.any()


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_is_the_keras_model_with_the_same_weights(shape, activation):
    weights = random_weights(0, *shape)
    x = observations(shape[0], 33)
    model = networks.to_keras(weights, activation, shape[0])
    for ours, theirs in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expected = model.predict_on_batch(x)
    np.testing.assert_allclose(networks.forward(weights, x, activation), expected, atol=2e-5)
    np.testing.assert_allclose(networks.q_function(weights, activation)(x), expected, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_lane_is_a_network_of_its_own(shape):
    weights = random_weights(0, *shape, lanes=(3,))
    x = observations(shape[0], 3, 5)
    together = networks.forward([tf.constant(w) for w in weights], tf.constant(x), "relu")
    for lane in range(3):
        alone = networks.q_function([w[lane] for w in weights], "relu")(x[lane])
        np.testing.assert_allclose(together[lane], alone, atol=2e-5)


def test_initial_weights_are_glorot_uniform_and_the_lanes_own():
    shapes = networks.shapes(4, (64, 64), 2)
    lanes = networks.initial_weights(tf.constant([5, 6, 5]), shapes)
    alone = networks.initial_weights(tf.constant([5]), shapes)
    for W, other in zip(lanes, alone, strict=True):
        np.testing.assert_array_equal(W[0], W[2])
        np.testing.assert_array_equal(W[0], other[0])
    for W, b in zip(lanes[::2], lanes[1::2], strict=True):
        assert not b.numpy().any()
        assert not np.array_equal(W[0], W[1])
        limit = np.sqrt(6 / sum(W.shape[1:]))
        spread = stats.uniform(-limit, 2 * limit)
        assert stats.kstest(W[0].numpy().ravel(), spread.cdf).pvalue > 0.001

"""The Q-network as plain tensors and as a Keras model: one function, two faces."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dqn.agents import networks
from dqn.agents.networks.dueling import Dueling
from dqn.agents.networks.mlp import MLP
from dqn.agents.networks.network import ACTIVATIONS
from dqn.config import Config, EnvConfig
from dqn.envs import gymnasium_env
from dqn.runtime.errors import UserError

SIZES = [(4, (64, 64), 2), (4, (8,), 2), (6, (3, 5, 7), 3), (1, (32, 6), 1), (20, (24,), 16)]


def random_weights(network, lanes=()):
    """Weights with biases that are not zero, float32 [*lanes, ...]."""
    generator = np.random.default_rng(0)
    return [
        generator.normal(scale=0.5, size=(*lanes, *shape)).astype(np.float32)
        for shape in network.shapes
    ]


def observations(observation_size, *leading):
    return np.random.default_rng(1).normal(size=(*leading, observation_size)).astype(np.float32)


def test_the_exercises_network_has_4610_parameters():
    model = networks.create_model(gymnasium_env.make(EnvConfig()), 0.001)
    assert model.count_params() == 4610
    assert model.count_params() == sum(np.prod(s) for s in MLP(4, (64, 64), "relu", 2).shapes)


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


@pytest.mark.parametrize("key", ["network", "optimizer"])
def test_a_component_that_does_not_exist_is_refused_with_those_that_do(key):
    with pytest.raises(UserError, match=f"{key} must be one of .*, got 'none'"):
        networks.create_model(gymnasium_env.make(EnvConfig()), 0.1, **{key: "none"})  # pyright: ignore


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("D", "hidden", "A"), SIZES, ids=str)
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_network_is_the_keras_model_with_the_same_weights(name, D, hidden, A, activation):
    network = networks.NETWORKS[name](D, hidden, activation, A)
    weights, x = random_weights(network), observations(D, 33)
    model = network.to_keras(weights)
    for ours, theirs in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    expected = model.predict_on_batch(x)
    np.testing.assert_allclose(network.apply(weights, x), expected, atol=5e-5)
    np.testing.assert_allclose(network.q_function(weights)(x), expected, atol=5e-5)
    config = Config(network=name, hidden=hidden, activation=activation)
    assert networks.trained_network(config, weights) == network


# Keras 3.15 converts TensorFlow's tensors in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_saved_network_loads_in_plain_keras_and_says_the_same(name, tmp_path):
    network = networks.NETWORKS[name](4, (8, 6), "tanh", 2)
    weights, x = random_weights(network), observations(4, 5)
    network.to_keras(weights).save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert model is not None
    np.testing.assert_allclose(model.predict_on_batch(x), network.apply(weights, x), atol=1e-5)


@pytest.mark.parametrize(("D", "hidden", "A"), SIZES, ids=str)
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_each_lane_is_a_network_of_its_own(name, D, hidden, A):
    network = networks.NETWORKS[name](D, hidden, "relu", A)
    weights, x = random_weights(network, lanes=(3,)), observations(D, 3, 5)
    together = network.apply([tf.constant(w) for w in weights], tf.constant(x))
    for lane in range(3):
        alone = network.q_function([w[lane] for w in weights])(x[lane])
        np.testing.assert_allclose(together[lane], alone, atol=2e-5)


def test_a_dueling_networks_q_values_are_the_value_and_what_an_action_is_better_than_the_mean():
    network = Dueling(3, (5,), "relu", 4)
    W, b, W_advantage, b_advantage, W_value, b_value = weights = random_weights(network)
    x = observations(3, 7)
    h = np.maximum(x @ W + b, 0)
    value, advantage = h @ W_value + b_value, h @ W_advantage + b_advantage
    q = network.apply(weights, x)
    np.testing.assert_allclose(q, value + advantage - advantage.mean(-1)[:, None], atol=1e-5)
    np.testing.assert_allclose(tf.reduce_mean(q, -1), value[:, 0], atol=1e-5)


def test_initial_weights_are_glorot_uniform_and_the_lanes_own():
    network = MLP(4, (64, 64), "relu", 2)
    lanes, alone = network.init(tf.constant([5, 6, 5])), network.init(tf.constant([5]))
    for W, other in zip(lanes, alone, strict=True):
        np.testing.assert_array_equal(W[0], W[2])
        np.testing.assert_array_equal(W[0], other[0])
    for W, b in zip(lanes[::2], lanes[1::2], strict=True):
        assert not b.numpy().any()
        assert not np.array_equal(W[0], W[1])
        limit = np.sqrt(6 / sum(W.shape[1:]))
        spread = stats.uniform(-limit, 2 * limit)
        assert stats.kstest(W[0].numpy().ravel(), spread.cdf).pvalue > 0.001

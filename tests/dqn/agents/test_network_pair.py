"""Any Keras model works, and agents share nothing."""

import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from dqn.agents.keras.agent import DQNAgent
from dqn.agents.networks import create_model
from dqn.config import EnvConfig
from dqn.envs import gymnasium_env

GROWTH = """
import resource, sys
from dqn import DQNAgent, create_model
from dqn.config import EnvConfig
from dqn.envs import gymnasium_env as host

def peak():
    unit = 1024 if sys.platform == "linux" else 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

for seed in range(90):
    agent = DQNAgent(host.make(EnvConfig()), create_model, seed=seed)
    agent.train(5)
    if seed == 29:  # what is kept once is there by then
        before = peak()
print(peak() - before)
"""


def cartpole():
    return gymnasium_env.make(EnvConfig())


def compiled(model, optimizer):
    model.compile(loss="mse", optimizer=optimizer)
    return model


def dueling(env, lr):
    """Wang et al. 2016: value and advantage streams."""
    x = inputs = keras.Input((4,))
    x = layers.BatchNormalization()(layers.Dense(8, activation="relu")(x))
    x = layers.Dropout(0.1)(x)
    value, advantage = layers.Dense(1)(x), layers.Dense(2)(x)
    outputs = value + advantage - keras.ops.mean(advantage, -1, keepdims=True)
    return compiled(keras.Model(inputs, outputs), keras.optimizers.RMSprop(lr))


def with_lambda(env, lr):
    factor = 2.0
    stack = [layers.Input((4,)), layers.Dense(2), layers.Lambda(lambda q: factor * q)]
    return compiled(keras.Sequential(stack), keras.optimizers.SGD(lr))


class Own(keras.Model):
    """A model with a class of its own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def own_class(env, lr):
    return compiled(Own(), keras.optimizers.SGD(lr))


def adapted(env, lr):
    """A Normalization holds what it adapted to outside its configuration."""
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng().normal(size=(50, 4)))
    stack = [layers.Input((4,)), normalization, layers.Dense(2)]
    return compiled(keras.Sequential(stack), keras.optimizers.SGD(lr))


def mixed_precision(env, lr):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return create_model(env, lr)
    finally:
        keras.config.set_dtype_policy(policy)


def decaying(env, lr):
    """Which variables are spared from the decay is in no configuration."""
    model = create_model(env, lr)
    optimizer = keras.optimizers.AdamW(lr)
    optimizer.exclude_from_weight_decay(var_list=model.trainable_variables[:1])
    return compiled(model, optimizer)


def seeded_layers(env, lr):
    start: Any = keras.initializers.GlorotUniform(seed=int(1 / lr))
    noise = layers.Dropout(0.1, seed=int(1 / lr))
    stack = [layers.Input((4,)), noise, layers.Dense(2, kernel_initializer=start)]
    return compiled(keras.Sequential(stack), keras.optimizers.Adam(lr))


MODELS = [create_model, dueling, with_lambda, own_class, adapted, mixed_precision, decaying,
          seeded_layers]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_any_model_learns_and_answers_as_keras_itself_would(model):
    agent = DQNAgent(cartpole(), model, batch_size=4, target_update=8, seed=0)
    before = [v.numpy() for v in agent.model.variables]
    agent.train(3)
    after = [v.numpy() for v in agent.model.variables]
    assert any(not np.array_equal(b, a) for b, a in zip(before, after, strict=True))
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    np.testing.assert_allclose(agent.q_values(x), agent.model.predict_on_batch(x), atol=1e-5)


@pytest.mark.parametrize("model", [create_model, dueling])
def test_agents_train_apart(model):
    def trained(others):
        """Variables before and after the training of one agent among others of its kind."""
        others = [DQNAgent(cartpole(), model) for _ in range(others)]
        agent = DQNAgent(cartpole(), model, seed=1)
        before = [v.numpy() for v in agent.model.variables]
        for learner in (*others[1:], agent, *others[:1]):
            learner.train(6)
        return before, [v.numpy() for v in agent.model.variables]

    before, alone = trained(others=0)
    again, among = trained(others=2)
    np.testing.assert_equal(again, before)
    np.testing.assert_equal(among, alone)
    assert any(not np.array_equal(b, a) for b, a in zip(before, alone, strict=True))


@pytest.mark.slow
def test_sixty_agents_made_and_dropped_leave_less_than_10_mb():
    printed = subprocess.run(
        [sys.executable, "-c", GROWTH], check=True, capture_output=True, text=True, timeout=280
    )
    assert float(printed.stdout) < 10

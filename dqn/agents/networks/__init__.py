"""The networks that `network=` chooses from, each in the file of its name, as its `NETWORK`."""

import importlib
from collections.abc import Sequence

import numpy as np

from dqn.agents.networks.network import Network
from dqn.agents.optimizers import OPTIMIZERS
from dqn.config import Config
from dqn.config.config import choices_of
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import must_be

NETWORKS: dict[str, type[Network]] = {
    name: importlib.import_module(f"{__name__}.{name}").NETWORK for name in choices_of("network")
}


def network_of(key: ProgramKey) -> Network:
    """The network of a block's lanes."""
    name, hidden, activation = key.network
    return NETWORKS[name](key.observation_size, hidden, activation, key.actions)


def trained_network(config: Config, weights: Sequence[np.ndarray]) -> Network:
    """The network of a training of `config` that has left these weights."""
    D, A = weights[0].shape[0], weights[2 * len(config.hidden) + 1].shape[0]
    return NETWORKS[config.network](D, config.hidden, config.activation, A)


def create_model(
    env,
    lr: float,
    hidden: Sequence[int] = (64, 64),
    activation: str = "relu",
    network: str = "mlp",
    optimizer: str = "adam",
):
    """A Keras model for a Gymnasium environment, compiled with MSE; by default the exercise's.

    `env` has a flat Box of observations [D] and Discrete actions (A of them). `network` and
    `optimizer` are names as in a configuration; raises `UserError` for others.

    >>> import gymnasium
    >>> from dqn import create_model
    >>> create_model(gymnasium.make("CartPole-v1"), lr=1e-3, hidden=[32]).output_shape
    (None, 2)
    """
    for key, name in (("network", network), ("optimizer", optimizer)):
        if name not in choices_of(key):
            raise must_be(key, f"one of {', '.join(choices_of(key))}", repr(name), value=name)
    D, A = env.observation_space.shape[0], int(env.action_space.n)
    model = NETWORKS[network](D, tuple(int(width) for width in hidden), activation, A).keras_model()
    model.compile(loss="mse", optimizer=OPTIMIZERS[optimizer].to_keras(float(lr)))
    return model

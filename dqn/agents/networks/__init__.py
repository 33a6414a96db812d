"""The networks that `network=` chooses from, each in the file of its name, as its `NETWORK`.

And those of one's own, by import path: see `network_named`.
"""

import importlib
from collections.abc import Sequence

import numpy as np

from dqn.agents.networks.network import Network
from dqn.agents.optimizers import optimizer_named
from dqn.config import Config, components
from dqn.config.config import choices_of
from dqn.envs import gymnasium_env
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import must_be

NETWORKS: dict[str, type[Network]] = {
    name: importlib.import_module(f"{__name__}.{name}").NETWORK for name in choices_of("network")
}


def network_named(name: str) -> type[Network]:
    """The class behind a value of `network`: a built-in one, or one's own at "module:Name".

    Raises `UserError` where that cannot be imported, is no subclass of `Network`, or lacks what
    each must define.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    found = components.load("network", name)
    if not (isinstance(found, type) and issubclass(found, Network)):
        rule, advice = "a subclass of dqn.agents.networks.Network", f"make {name} one"
        raise must_be("network", rule, f"{name!r}, which is none", advice, value=name)
    if lacks := sorted(found.__abstractmethods__):
        rule, advice = f"a class with {' and '.join(lacks)}", "define it in the class"
        raise must_be("network", rule, f"{name!r} without", advice, value=name)
    return found


def network_of(key: ProgramKey) -> Network:
    """The network of a block's lanes."""
    name, hidden, activation = key.network
    network = network_named(components.unstamped(name))
    return network(key.observation_size, hidden, activation, key.actions)


def trained_network(config: Config, weights: Sequence[np.ndarray]) -> Network:
    """The network of a training of `config` that has left these weights.

    Of a network of one's own they do not say D and A: the environment is asked.
    """
    if components.is_path(config.network):
        env = gymnasium_env.describe(config.env)
        network = network_named(config.network)
        return network(env.observation_size, config.hidden, config.activation, env.actions)
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
    `optimizer` are names as in a configuration, of one's own "module:Name"; raises `UserError` for
    others, and for one of one's own without a counterpart in Keras.

    >>> import gymnasium
    >>> from dqn import create_model
    >>> create_model(gymnasium.make("CartPole-v1"), lr=1e-3, hidden=[32]).output_shape
    (None, 2)
    """
    network, optimizer = _named("network", network), _named("optimizer", optimizer)
    D, A = env.observation_space.shape[0], int(env.action_space.n)
    widths = tuple(int(width) for width in hidden)
    model = network_named(network)(D, widths, activation, A).keras_model()
    model.compile(loss="mse", optimizer=optimizer_named(optimizer).to_keras(float(lr)))
    return model


def _named(key: str, name: str) -> str:
    """A value of `key` as a configuration has it."""
    value = components.path_of(key, name)
    if value not in choices_of(key) and not components.is_path(value):
        known = ", ".join((*choices_of(key), *components.names_of(key), components.PATH))
        raise must_be(key, f"one of {known}", repr(name), value=name)
    return value

"""The networks that `network=` chooses from: a file each, and its name here."""

from collections.abc import Sequence

import numpy as np

from dqn.agents.networks.mlp import MLP
from dqn.agents.networks.network import Network
from dqn.agents.optimizers import OPTIMIZERS

NETWORKS: dict[str, type[Network]] = {"mlp": MLP}


def network_of(
    name: str, hidden: Sequence[int], activation: str, weights: Sequence[np.ndarray]
) -> Network:
    """The network whose weights these are."""
    A = weights[2 * len(hidden) + 1].shape[0]
    return NETWORKS[name](weights[0].shape[0], tuple(hidden), activation, A)


def create_model(
    env,
    lr: float,
    hidden: Sequence[int] = (64, 64),
    activation: str = "relu",
    network: str = "mlp",
    optimizer: str = "adam",
):
    """A Keras model for a Gymnasium environment, compiled with MSE; by default the exercise's.

    `env` has a flat Box of observations [D] and Discrete actions (A of them).
    """
    D, A = env.observation_space.shape[0], int(env.action_space.n)
    model = NETWORKS[network](D, tuple(int(width) for width in hidden), activation, A).keras_model()
    model.compile(loss="mse", optimizer=OPTIMIZERS[optimizer].to_keras(float(lr)))
    return model

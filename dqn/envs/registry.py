"""The environments that run inside a lane's compiled program, by Gymnasium id.

They are looked up here and imported, TensorFlow with them, only when they are needed.
"""

import importlib

from dqn.config import EnvConfig
from dqn.envs import Dynamics
from dqn.envs.registry_errors import known_registration

# The module in this folder that each id stands for; ids of one module differ in their limits alone.
COMPILED = {
    "CartPole-v0": "cartpole",
    "CartPole-v1": "cartpole",
    "Acrobot-v1": "acrobot",
    "MountainCar-v0": "mountain_car",
}


def is_compiled(env: EnvConfig) -> bool:
    """Whether `env` has compiled dynamics; if not, Gymnasium steps it in Python.

    Not with any `env.kwargs`, which may change the dynamics (`sutton_barto_reward`,
    `goal_velocity`), and not where the id has been registered anew for another class. A time limit
    of its own changes nothing here: the lane counts steps.
    """
    if env.kwargs or env.id not in COMPILED:
        return False
    spec = known_registration(env.id)
    if spec is None or spec.kwargs or spec.additional_wrappers:
        return False
    own = f"gymnasium.envs.classic_control.{COMPILED[env.id]}:"
    return str(spec.entry_point).startswith(own)


def dynamics_named(name: str) -> Dynamics:
    """The compiled dynamics of one module in this folder."""
    return importlib.import_module(f"dqn.envs.{name}").DYNAMICS

"""The environments that run inside a lane's compiled program, by Gymnasium id."""

from dqn.config import EnvConfig
from dqn.envs import Dynamics, acrobot, cartpole, mountain_car

COMPILED: dict[str, Dynamics] = {
    env_id: module.DYNAMICS
    for module in (
        cartpole,
        acrobot,
        mountain_car,
    )
    for env_id in module.DYNAMICS.ids
}


def dynamics_of(env: EnvConfig) -> Dynamics | None:
    """The compiled dynamics of `env`, or None: then Gymnasium steps it in Python (`host.make`).

    None for any `env.kwargs`, which may change the dynamics (`sutton_barto_reward`,
    `goal_velocity`). A time limit of its own changes nothing here: the lane counts steps.
    """
    return None if env.kwargs else COMPILED.get(env.id)

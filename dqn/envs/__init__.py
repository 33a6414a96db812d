"""Tasks: compiled dynamics in TensorFlow, and any other Gymnasium environment stepped in Python.

How to add a compiled environment. Write one file, `dqn/envs/pendulum_swing.py`, modelled on
`mountain_car.py`:

1. `reset(u)`, `step(state, action)` and `observe(state)` as in `Dynamics` below: float32, on the
   last axis only (`tf.unstack`, elementwise arithmetic, `tf.stack`), so that any leading axes
   work. No Python loop, `tf.cond` or random operation: choices are `tf.where`, chance comes in as
   `u`. The formulas, thresholds, clipping and their order are Gymnasium's own; cite the paper.
2. `DYNAMICS = Dynamics(...)` at the end of the file.

Then add one line to `COMPILED` below, and an entry to `CASES` in
`tests/dqn/envs/test_envs.py` (where to draw states from, what counts as rounding), whose tests
compare it with Gymnasium's own step. A time limit is not part of the dynamics, as the lane counts
steps; it and the threshold (`solved_return`) come from Gymnasium's registration, the name for
`env=` from a file in `conf/env/`.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dqn.config import EnvConfig
from dqn.envs.registry_errors import known_registration

# The module in this folder that each id stands for; ids of one module differ in their limits alone.
COMPILED = {
    "CartPole-v0": "cartpole",
    "CartPole-v1": "cartpole",
    "Acrobot-v1": "acrobot",
    "MountainCar-v0": "mountain_car",
}


@dataclass(frozen=True, slots=True)
class Dynamics:
    """One environment as pure functions of tensors; `...` is any leading shape, S the state's size.

    `reset` takes numbers in [0, 1): its one source of chance, and so a lane's own stream. `step`
    does not reset: after a terminal step the caller does. All floats are float32.
    """

    reset: Callable[[Any], Any]
    """u [..., num_random] → state [..., S]."""
    step: Callable[[Any, Any], tuple[Any, Any, Any]]
    """state [..., S], action int32 [...] → state [..., S], reward [...], terminal bool [...]."""
    observe: Callable[[Any], Any]
    """state [..., S] → observation [..., D]."""
    observation_size: int
    """D."""
    actions: int
    """A: an action is an int32 in [0, A)."""
    num_random: int
    """How many numbers in [0, 1) one reset takes."""


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

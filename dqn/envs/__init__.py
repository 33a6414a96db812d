"""Tasks: compiled dynamics in TensorFlow, and any other Gymnasium environment stepped in Python.

`gymnasium_env.py` makes and describes any Gymnasium environment and never loads TensorFlow;
`registry.py` is the table of environments that run inside a lane's compiled program;
`adapter.py` reads what an environment gives; `cartpole.py`, `acrobot.py` and `mountain_car.py` are
the compiled environments, a file each.

How to add a compiled environment. Write one file, `dqn/envs/pendulum_swing.py`, modelled on
`mountain_car.py`:

1. `reset(u)`, `step(state, action)` and `observe(state)` as in `Dynamics` below: float32, on the
   last axis only (`tf.unstack`, elementwise arithmetic, `tf.stack`), so that any leading axes
   work. No Python loop, `tf.cond` or random operation: choices are `tf.where`, chance comes in as
   `u`. The formulas, thresholds, clipping and their order are Gymnasium's own; cite the paper.
2. `DYNAMICS = Dynamics(...)` at the end of the file.

Then add one line to `COMPILED` in `registry.py`: the Gymnasium id that the file stands for. In
`tests/dqn/envs/test_envs.py` add its entry to `CASES` (where to draw states from, what counts as
rounding): every test there then compares it with Gymnasium's own step. A time limit is not part of
the dynamics, as the lane counts steps; a failing or final step pays its reward like any other. The
threshold (`solved_return`) and the time limit come from Gymnasium's registration, the name for
`env=` from a file in `conf/env/`.

An environment that cannot be written this way needs none of it: `env=gymnasium env.id=...` takes
any registered id, and `env.id=my_module:MyEnv-v0` first imports `my_module`, which registers it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Dynamics:
    """One environment as pure functions of tensors; `...` is any leading shape, S the state's size.

    `reset` takes numbers in [0, 1): its one source of chance, and so a lane's own stream. `step`
    does not reset: after a terminal step the caller does. All floats are float32.
    """

    name: str
    """Of its module in this folder."""
    observation_size: int
    """D."""
    actions: int
    """A: an action is an int32 in [0, A)."""
    num_random: int
    """How many numbers in [0, 1) one reset takes."""
    reset: Callable[[Any], Any]
    """u [..., num_random] → state [..., S]."""
    step: Callable[[Any, Any], tuple[Any, Any, Any]]
    """state [..., S], action int32 [...] → state [..., S], reward [...], terminal bool [...]."""
    observe: Callable[[Any], Any]
    """state [..., S] → observation [..., D]."""

"""Tasks: compiled dynamics in TensorFlow, and any other Gymnasium environment stepped in Python.

Three modules for three readers. `host.py` makes and describes any Gymnasium environment and never
loads TensorFlow; `compiled.py` is the table of environments that run inside a lane's compiled
program; each file beside them is one such environment.

How to add an environment. Write one file, `dqn/envs/pendulum_swing.py`, after the model of
`mountain_car.py`:

1. `reset(u)`, `step(state, action)` and `observe(state)` as in `Dynamics` below: float32, on the
   last axis only (`tf.unstack`, elementwise arithmetic, `tf.stack`), so that any leading axes
   work. No Python loop, `tf.cond` or random operation: choices are `tf.where`, chance comes in as
   `u`. The formulas, thresholds, clipping and their order are Gymnasium's own; cite the paper.
2. `DYNAMICS = Dynamics(...)` at the end of the file.

Then one line: add the Gymnasium id it stands for to the table in `compiled.py`. In
`tests/dqn/envs/test_envs.py` add its entry to `CASES` (where to draw states from, what counts as
rounding): every test there then holds it against Gymnasium's own step. A time limit is not part of
the dynamics, the lane counts steps; a failing or final step pays its reward like any other. The
environment's threshold (`solved_return`) and time limit come from Gymnasium's registration, its
name for `env=` from a file in `conf/env/`.

An environment that cannot be written this way needs none of it: `env=gymnasium env.id=...` takes
any registered id, and `env.id=my_module:MyEnv-v0` imports `my_module`, which registers it, first.
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
    """u [..., uniforms] → state [..., S]."""
    step: Callable[[Any, Any], tuple[Any, Any, Any]]
    """state [..., S], action int32 [...] → state [..., S], reward [...], terminal bool [...]."""
    observe: Callable[[Any], Any]
    """state [..., S] → observation [..., D]."""

"""Deep Q-Networks as a study: one configuration, many seeds; every (trial, seed) is a lane.

The names a notebook needs are here. Each is imported when it is first used, so that `import dqn`,
`python -m dqn.run --help` and every refusal stay fast.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from dqn.runtime.moved import name_new_paths

if TYPE_CHECKING:
    from dqn.agents.keras.agent import DQNAgent
    from dqn.agents.keras.replay_buffer import ReplayBuffer
    from dqn.agents.networks import create_model
    from dqn.api import load, train
    from dqn.config import Config
    from dqn.plotting.episode_recorder import record_episode
    from dqn.runtime.errors import RunError, UserError
    from dqn.trained.run import Run
    from dqn.training.own_components import register

# Both must be set before TensorFlow is imported; a value of the user's own wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
if "keras" not in sys.modules:  # this one is no choice: DQN here is a TensorFlow program
    os.environ["KERAS_BACKEND"] = "tensorflow"

name_new_paths()
_HOMES = {
    "Config": "dqn.config",
    "DQNAgent": "dqn.agents.keras.agent",
    "ReplayBuffer": "dqn.agents.keras.replay_buffer",
    "Run": "dqn.trained.run",
    "RunError": "dqn.runtime.errors",
    "UserError": "dqn.runtime.errors",
    "create_model": "dqn.agents.networks",
    "load": "dqn.api",
    "record_episode": "dqn.plotting.episode_recorder",
    "register": "dqn.training.own_components",
    "train": "dqn.api",
}
__all__ = [
    "Config",
    "DQNAgent",
    "ReplayBuffer",
    "Run",
    "RunError",
    "UserError",
    "create_model",
    "load",
    "record_episode",
    "register",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

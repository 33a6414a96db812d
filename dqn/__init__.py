"""Deep Q-Networks as a study: one configuration, many seeds; every (trial, seed) is a lane.

The names a notebook needs are here and load TensorFlow only when first used, so that
`python -m dqn.run --help` and every refusal stay fast.
"""

import importlib
import os
import sys
from typing import Any

from dqn.runtime.moved import name_new_paths

# Both must be set before TensorFlow is imported; a value of the user's own wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
if "keras" not in sys.modules:  # this one is no choice: DQN here is a TensorFlow program
    os.environ["KERAS_BACKEND"] = "tensorflow"

name_new_paths()
_HOMES = {
    "DQNAgent": "dqn.agents.keras.agent",
    "ReplayBuffer": "dqn.agents.keras.replay_buffer",
    "create_model": "dqn.agents.networks",
    "record_episode": "dqn.plotting.episode_recorder",
    "register": "dqn.training.own_components",
}
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

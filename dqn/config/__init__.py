"""Every setting of a run: what it is, what it may be, and values as people write them."""

from dqn.config.config import Config
from dqn.config.env_config import EnvConfig

__all__ = ["Config", "EnvConfig"]

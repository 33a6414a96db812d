"""Every setting of a run: what it is, what it may be, and values as people write them."""

from dqn.config.config import Config, EnvConfig

__all__ = ["Config", "EnvConfig"]

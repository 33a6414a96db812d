"""What a program is compiled for: trainings of one key share a block.

Loads no TensorFlow, unless a component of one's own does.
"""

from typing import NamedTuple

from dqn.config import Config, EnvConfig
from dqn.config.components import is_stamped, stamped
from dqn.envs import COMPILED, is_compiled
from dqn.envs.gymnasium_env import EnvInfo

CAPACITY = 8192  # transitions a lane can store; a training that needs more doubles it until it fits


class Architecture(NamedTuple):
    """Which network, and what it is made with."""

    name: str
    """Of one's own, with a hash of its source, as `stamped` makes it."""
    hidden: tuple[int, ...]
    activation: str


class ProgramKey(NamedTuple):
    """What the lanes of one block have in common; everything else may differ between them."""

    env: str | EnvConfig
    """Compiled dynamics by name, or an environment stepped in Python."""
    arguments: str
    """Those of the latter as text: 1 and True are equal, and not the same to an environment."""
    network: Architecture
    optimizer: str
    batch_size: int
    capacity: int
    """Transitions a lane's part of the replay memory can hold."""
    observation_size: int = 0
    actions: int = 0
    lanes: int = 0
    """D, A and L; 0 in a pool, which sorts trainings without a look at their environments."""

    @classmethod
    def of(cls, config: Config, info: EnvInfo | None = None, lanes: int = 0) -> "ProgramKey":
        """The key of a training of `config`, whose environment is `info`.

        Raises `UserError` where a component of one's own cannot be loaded.
        """
        env, stepped = config.env, not is_compiled(config.env)
        limit = info.max_episode_steps if info else env.max_episode_steps or 0
        return cls(
            env=env if stepped else COMPILED[env.id],
            arguments=repr(env.kwargs) if stepped else "",
            network=Architecture(
                stamped("network", config.network), config.hidden, config.activation
            ),
            optimizer=stamped("optimizer", config.optimizer),
            batch_size=config.batch_size,
            capacity=_capacity(config, limit),
            observation_size=info.observation_size if info else 0,
            actions=info.actions if info else 0,
            lanes=lanes,
        )

    @property
    def is_own(self) -> bool:
        """Whether it has a component of one's own."""
        return is_stamped(self.network.name) or is_stamped(self.optimizer)

    @property
    def env_id(self) -> str:
        """The id of an environment stepped in Python; "" of compiled dynamics."""
        return self.env.id if isinstance(self.env, EnvConfig) else ""


def _capacity(config: Config, time_limit: int) -> int:
    """Transitions that can ever be stored at once, rounded up to a power of two."""
    most = config.buffer_size
    if config.steps:
        most = min(most, config.steps)
    if config.episodes and time_limit:
        most = min(most, config.episodes * time_limit)
    return max(CAPACITY, 1 << (most - 1).bit_length())

"""The mean return that counts as solved, by environment."""

from collections.abc import Mapping

from dqn.config import Config, EnvConfig
from dqn.envs import host
from dqn.results.columns import Cell, config_of


class Thresholds:
    """Asks Gymnasium once for each id; `base` has what a row of seeds.csv leaves out."""

    def __init__(self, base: Config):
        self._base = base
        self._registered: dict[str, float | None] = {}

    def of(self, env: EnvConfig) -> float | None:
        """The mean return that counts as solved in `env`; None where there is none."""
        if env.solved_return is not None:
            return env.solved_return
        if env.id not in self._registered:
            self._registered[env.id] = host.describe(env).solved_return
        return self._registered[env.id]

    def of_row(self, row: Mapping[str, Cell]) -> float | None:
        """The same for the environment of a row; `UserError` where it is no configuration."""
        return self.of(config_of(row, self._base).env)

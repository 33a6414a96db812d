"""The mean return that counts as solved, by environment."""

from collections.abc import Mapping

import pandas as pd

from dqn.config import Config, EnvConfig
from dqn.envs import gymnasium_env
from dqn.envs.registry_errors import known_solved_return
from dqn.statistics.metrics import METRICS, metrics_of
from dqn.storage.columns import Cell, Row, config_of


class Thresholds:
    """Asks Gymnasium once for each id; `base` has what a row of seeds.csv leaves out.

    With `imports` false no module of the user's is imported for it: what such a one alone registers
    then has no threshold.
    """

    def __init__(self, base: Config, imports: bool = True):
        self._base, self._imports = base, imports
        self._registered: dict[str, float | None] = {}

    def of(self, env: EnvConfig) -> float | None:
        """The mean return that counts as solved in `env`; None where there is none."""
        if env.solved_return is not None:
            return env.solved_return
        if env.id not in self._registered:
            known = gymnasium_env.describe(env).solved_return if self._imports else None
            self._registered[env.id] = known if self._imports else known_solved_return(env)
        return self._registered[env.id]

    def computed(self, row: Mapping[str, Cell], episodes: pd.DataFrame) -> Row:
        """The columns of a row that follow from its episodes, but for the test's.

        Raises `UserError` where the row is no configuration.
        """
        returns, lengths, step = (episodes[n].to_numpy() for n in ("return", "length", "step"))
        metrics = metrics_of(returns, lengths, self.of(config_of(row, self._base).env))
        return {
            "steps": int(step[-1]) if len(step) else 0,
            "episodes": len(returns),
            **{name: value for name, value in metrics.items() if not METRICS[name].of_test},
        }
